-- due(p_lanes, p_floors, p_limit) -> one row per lane
--
-- Return which notifications should be in the ready set now. It writes nothing.
--
-- Args     p_lanes smallint[], the priorities to look at; p_floors double precision[], epoch ms, one for each
--          lane: the look begins there, as no due row is expected earlier (null: it begins at the lane's
--          head); p_limit ids per lane
-- Returns  (priority, ids, due_ms, next_due_in, now_ms): ids by due_at with their due_at as epoch ms,
--          the wait until the lane's next notification falls due (null: none; at most a year), the time of
--          this look
-- Note     Times are kept within the range of a double and an interval: a row that was changed by hand may
--          have 'infinity', and must not stop the others
-- Plan     notifications_due, one ordered scan per lane: one scan over all lanes would also read future rows.
--          For a long ledger due_within() looks at each range in turn, and the results are merged. The short
--          ledger's query has no bounds of ids: they would make both its scans of each day and lane a tenth slower
-- Caller   LeaderStore.due, reconcile()
create or replace function notify.due(
  p_lanes smallint[], p_floors double precision[], p_limit integer)
returns table (
  priority smallint, ids uuid[], due_ms double precision[], next_due_in interval,
  now_ms double precision)
language plpgsql set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  if not exists (select from notify.quiet_days) then
    return query
    select l.lane,
      coalesce(head.ids, '{}'),
      coalesce(head.due_ms, '{}'),
      (select least(n.due_at, v_now + interval '1 year') - v_now from notify.notifications n
        where n.status = 'queued' and n.priority = l.lane and n.due_at > v_now
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
        order by n.due_at, n.id
        limit p_limit
      ) d
    ) head;
    return;
  end if;
  perform set_config('plan_cache_mode', 'force_custom_plan', true);
  return query
  with looks as materialized (
    select w.* from notify.spans() s
    cross join lateral notify.due_within(s.lo, s.hi, p_lanes, p_floors, p_limit) w
  ), later as (
    select min(q.until) - clock_timestamp() as next_due_in from notify.quiet_days q
    where q.until > clock_timestamp() and q.until < 'infinity'
  )
  select l.priority,
    coalesce((select array_agg(d.id order by d.due, d.id) from (
      select e.id, e.due from looks a cross join unnest(a.ids, a.due_ms) as e(id, due)
      where a.priority = l.priority
      order by e.due, e.id
      limit p_limit) d), '{}'),
    coalesce((select array_agg(d.due order by d.due, d.id) from (
      select e.id, e.due from looks a cross join unnest(a.ids, a.due_ms) as e(id, due)
      where a.priority = l.priority
      order by e.due, e.id
      limit p_limit) d), '{}'),
    least(min(l.next_due_in), min(q.next_due_in)), min(l.now_ms)
  from looks l cross join later q
  group by l.priority;
end
$$;

comment on function notify.due(smallint[], double precision[], integer) is
  'due(p_lanes, p_floors, p_limit) -> one row per lane';
