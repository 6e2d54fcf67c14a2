-- now() -> one row
--
-- Say how things stand, in the numbers of the screen Now.
--
-- Returns  at, age_s, leader, queued, quiet, sending, is_estimate, oldest_due_s: the newest row of figures, all null if there
--          is none; age_s double precision: how old that is, by this server's clock. If it is much older than
--          GAUGES_INTERVAL_S, no dispatcher leads;
--          failed bigint, in the last hour; in_time, late bigint: what was sent within 10 s today (UTC), and later.
--          These are some 10 s behind
-- Note     Name its schema: now() alone is PostgreSQL's
-- Plan     figures, minutes and slo_daily by their keys
-- Caller   FigureStore.now
create or replace function notify.now()
returns table (at timestamptz, age_s double precision, leader text, queued bigint[], quiet bigint, sending bigint,
  is_estimate boolean, oldest_due_s double precision, failed bigint, in_time bigint, late bigint)
language sql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
  select f.at, case when f.at is not null then greatest(extract(epoch from t.now - f.at), 0) end::double precision, f.leader, f.queued, f.quiet, f.sending,
    f.is_estimate, f.oldest_due_s, m.failed, d.in_time, d.late
  from (select clock_timestamp() as now) t
  left join lateral (select * from notify.figures f order by f.at desc limit 1) f on true
  cross join lateral (
    select coalesce(sum(m.failed), 0)::bigint as failed from notify.minutes m where m.minute > t.now - interval '1 hour' and m.minute <= t.now
  ) m
  cross join lateral (
    select coalesce(sum(d.in_time), 0)::bigint as in_time, coalesce(sum(d.late), 0)::bigint as late
    from notify.slo_daily d where d.day = (t.now at time zone 'utc')::date
  ) d
$$;

comment on function notify.now() is 'now() -> one row';
