-- fold_slo(p_limit) -> one row per channel, priority and result
--
-- Move the counts of what ended lately from slo_deltas into slo_daily, and count them to this minute.
--
-- Args     p_limit integer, rows of slo_deltas per call
-- Returns  (channel, priority, result, ended, deltas): how many notifications ended with that result (those
--          that redrive() took back are not subtracted), and how many rows were moved. If these add up to
--          p_limit: call again
-- Locks    rows of slo_deltas, skipping what is locked; rows of slo_daily, in the order of their key; the minute's
-- Plan     slo_deltas as a whole, which is a few pages; its rows by ctid
-- Caller   LeaderStore.fold_slo
create or replace function notify.fold_slo(p_limit integer)
returns table (channel text, priority smallint, result text, ended bigint, deltas bigint)
language sql set search_path = pg_catalog, pg_temp as $$
  with taken as (
    delete from notify.slo_deltas
    where ctid = any (array(select d.ctid from notify.slo_deltas d limit p_limit for update skip locked))
    returning *
  ),
  folded as (
    insert into notify.slo_daily as s
    select t.day, t.channel, t.priority,
      coalesce(sum(t.count) filter (where t.result = 'in_time'), 0),
      coalesce(sum(t.count) filter (where t.result = 'late'), 0),
      coalesce(sum(t.count) filter (where t.result = 'failed'), 0),
      coalesce(sum(t.count) filter (where t.result = 'expired'), 0)
    from taken t
    group by t.day, t.channel, t.priority
    order by t.day, t.channel, t.priority
    on conflict (day, channel, priority) do update set
      in_time = s.in_time + excluded.in_time,
      late = s.late + excluded.late,
      failed = s.failed + excluded.failed,
      expired = s.expired + excluded.expired
  ),
  -- What is taken back left its minute long ago: a minute never becomes less.
  booked as materialized (
    select notify.book_minute(
      coalesce(sum(t.count) filter (where t.result = 'in_time'), 0)::bigint,
      coalesce(sum(t.count) filter (where t.result = 'late'), 0)::bigint,
      coalesce(sum(t.count) filter (where t.result = 'failed'), 0)::bigint,
      coalesce(sum(t.count) filter (where t.result = 'expired'), 0)::bigint)
    from taken t
    where t.count > 0
  )
  select t.channel, t.priority, t.result, sum(greatest(t.count, 0))::bigint, count(*)
  from taken t cross join booked
  group by t.channel, t.priority, t.result
$$;

comment on function notify.fold_slo(integer) is
  'fold_slo(p_limit) -> one row per channel, priority and result';
