-- depends: 0020-pauses

set local search_path = pg_catalog, pg_temp;

-- What each destination took, by minute: workers add to it once a minute, and delete what is older than two hours. The
-- minute comes first in the key: new rows are its right end, old ones its left, and an hour is one range. Its autovacuum
-- goes by the number of dead rows alone, since a minute's worth of them dies each minute; and it leaves the file as long
-- as it is, because cutting it would lock the workers out.
create table if not exists notify.destination_minutes (
  minute timestamptz not null,                              -- in which these attempts were settled
  channel text not null,
  destination text not null,                                -- as destination_of(); '': all others of the channel
  sends integer not null,
  failures integer not null,
  took integer[] not null,                                  -- how many took so long: a bucket for each of took_bounds(), and above
  last_code text,                                           -- of the last failure
  last_failed_at timestamptz,
  primary key (minute, channel, destination)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);

-- The queue as the leader saw it, a row each GAUGES_INTERVAL_S, for an hour: if the newest is old, nobody leads.
create table if not exists notify.figures (
  at timestamptz not null,
  leader text not null,                                     -- host:pid
  queued bigint[] not null,                                 -- of lanes 0 to 3
  quiet bigint not null,                                    -- queued on quiet days, for later, in any lane
  sending bigint not null,
  is_estimate boolean not null,
  oldest_due_s double precision,                            -- null: nothing is due
  primary key (at)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, vacuum_truncate = off);

-- What ended by the minute in which fold_slo() saw it, for a day. Half of each page is left free for the minute's own
-- updates.
create table if not exists notify.minutes (
  minute timestamptz not null,
  sent bigint not null,
  in_time bigint not null,                        -- of sent
  failed bigint not null,
  expired bigint not null,
  primary key (minute)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, vacuum_truncate = off);

do $$
begin
  if not exists (select from pg_index where indrelid = 'notify.destination_minutes'::regclass and indisprimary) then
    alter table notify.destination_minutes add primary key (minute, channel, destination);
  end if;
  if not exists (select from pg_index where indrelid = 'notify.figures'::regclass and indisprimary) then
    alter table notify.figures add primary key (at);
  end if;
  if not exists (select from pg_index where indrelid = 'notify.minutes'::regclass and indisprimary) then
    alter table notify.minutes add primary key (minute);
  end if;
end
$$;
