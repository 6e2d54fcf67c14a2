-- set_due_aside(p_limit) -> how many were set aside
--
-- Set aside what a pause covers among the first due notifications of each lane, before it is offered to workers.
--
-- Args     p_limit integer, how many to look at in each lane and range of days
-- Returns  null: nothing is paused, and nothing comes back; else how many. What lies behind them is set aside when its
--          turn comes, or by claim()
-- Note     It takes a second, and what was begun by then: a lane has half of the time that is left, so that one that
--          takes long, or is refused row by row, does not keep the others from theirs
-- Locks    as put_off()
-- Plan     notifications_due, from the head of each lane; a look at pauses if there are none
-- Caller   LeaderStore.set_due_aside, claim(), claim_each()
create or replace function notify.set_due_aside(p_limit integer) returns integer
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_now timestamptz := clock_timestamp();
  v_ends timestamptz := v_now + interval '1 second';
  v_lane_ends timestamptz;
  v_batch constant integer := 1000;
  v_count integer := 0;
  v_ids uuid[];
  v_dues timestamptz[];
  v_lo uuid;
  v_hi uuid;
  v_lane smallint;
begin
  if not exists (select from notify.pauses p where p.resumed_at is null) then
    return case when exists (select from notify.pauses) then 0 end;
  end if;
  if notify.is_long() then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  for v_lo, v_hi in select s.lo, s.hi from notify.spans() s loop
    for v_lane in 0..3 loop
      if clock_timestamp() >= v_ends then
        return v_count;
      end if;
      v_lane_ends := clock_timestamp() + (v_ends - clock_timestamp()) / 2;
      v_ids := array(
        select n.id from notify.notifications n
        where n.status = 'queued' and n.priority = v_lane and n.due_at <= v_now
          and (v_lo is null or n.id between v_lo and v_hi)
        order by n.due_at, n.id
        limit p_limit);
      continue when v_ids = '{}';
      select array_agg(c.id order by c.id), array_agg(c.waits_at order by c.id) into v_ids, v_dues
      from notify.covered(v_ids) c;
      while v_ids <> '{}' loop
        v_count := v_count + notify.put_off(v_ids[:v_batch], v_dues[:v_batch], v_lane_ends);
        exit when clock_timestamp() >= v_lane_ends;
        v_ids := v_ids[v_batch + 1:];
        v_dues := v_dues[v_batch + 1:];
      end loop;
    end loop;
  end loop;
  return v_count;
end
$$;

comment on function notify.set_due_aside(integer) is 'set_due_aside(p_limit) -> how many were set aside';
