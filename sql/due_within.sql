-- due_within(p_lo, p_hi, p_lanes, p_floors, p_limit) -> one row per lane
--
-- Return which notifications of one range of ids are due.
--
-- Args     p_lo, p_hi uuid, as spans() gives them; p_lanes, p_floors and p_limit as due()
-- Returns  as due()
-- Note     As due(): times are kept within the range of a double and an interval
-- Plan     as due(): notifications_due, one ordered scan per lane
-- Caller   due()
create or replace function notify.due_within(
  p_lo uuid, p_hi uuid, p_lanes smallint[], p_floors double precision[], p_limit integer)
returns table (
  priority smallint, ids uuid[], due_ms double precision[], next_due_in interval,
  now_ms double precision)
language plpgsql
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  return query
  select l.lane,
    coalesce(head.ids, '{}'),
    coalesce(head.due_ms, '{}'),
    (select least(n.due_at, v_now + interval '1 year') - v_now from notify.notifications n
      where n.status = 'queued' and n.priority = l.lane and n.due_at > v_now
        and (p_lo is null or n.id between p_lo and p_hi)
      order by n.due_at limit 1),
    (extract(epoch from v_now) * 1000)::double precision
  from unnest(p_lanes, p_floors) as l(lane, floor_ms)
  cross join lateral (
    select array_agg(d.id) as ids,
      array_agg((extract(epoch from greatest('epoch', d.due_at)) * 1000)::double precision) as due_ms
    from (
      select n.id, n.due_at from notify.notifications n
      where n.status = 'queued' and n.priority = l.lane and n.due_at <= v_now
        and n.due_at >= coalesce(to_timestamp(l.floor_ms / 1000), '-infinity')
        and (p_lo is null or n.id between p_lo and p_hi)
      order by n.due_at, n.id
      limit p_limit
    ) d
  ) head;
end
$$;

comment on function notify.due_within(uuid, uuid, smallint[], double precision[], integer) is
  'due_within(p_lo, p_hi, p_lanes, p_floors, p_limit) -> one row per lane';
