-- depends: 0004-triggers

set local search_path = pg_catalog, pg_temp;

-- What ended, counted by the statement that ended it: a row per group of a batch, appended, so that batches
-- never wait for each other. fold_slo() moves them into slo_daily within seconds; -1 takes one back.
-- Autovacuum: every row is dead 10 s after it came, so vacuum goes by their number alone, unthrottled; and
-- it leaves the file as long as it is, because cutting it would lock settle() out.
create table if not exists notify.slo_deltas (
  day date not null,                      -- UTC, in which it ended
  channel text not null,
  priority smallint not null,
  result text not null,
  count bigint not null,
  constraint result_is_known check (result in ('in_time', 'late', 'failed', 'expired'))
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);

-- The service level, kept for ever: a row per day, channel and priority. Half of each page is left free for
-- the day's own updates.
create table if not exists notify.slo_daily (
  day date not null,
  channel text not null,
  priority smallint not null,
  in_time bigint not null default 0,      -- sent soon enough after they fell due: slo_result() says how soon
  late bigint not null default 0,
  failed bigint not null default 0,
  expired bigint not null default 0,
  primary key (day, channel, priority)
) with (fillfactor = 50);
