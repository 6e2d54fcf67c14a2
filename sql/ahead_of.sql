-- ahead_of(p_priority, p_due_at, p_id, p_limit) -> bigint
--
-- Count the due notifications that come before one: those of its lane that fell due earlier, and those of more
-- urgent lanes.
--
-- Args     p_priority smallint, p_due_at timestamptz, p_id uuid: of a notification that is due; p_limit integer, it
--          counts no further
-- Returns  p_limit: that many or more
-- Plan     notifications_due, from the head of each lane, p_limit entries of each range of days at most. A bitmap
--          would read all entries despite the limit
-- Caller   explain_queued()
create or replace function notify.ahead_of(p_priority smallint, p_due_at timestamptz, p_id uuid, p_limit integer)
returns bigint
language plpgsql stable
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off
set plan_cache_mode = force_custom_plan set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_now timestamptz := clock_timestamp();
  v_lo uuid;
  v_hi uuid;
  v_lane smallint;
  v_count bigint;
  v_all bigint := 0;
begin
  for v_lo, v_hi in select s.lo, s.hi from notify.spans() s loop
    for v_lane in 0..p_priority loop
      select count(*) into v_count from (
        select from notify.notifications n
        where n.status = 'queued' and n.priority = v_lane
          and n.due_at <= case when v_lane = p_priority then p_due_at else v_now end
          and (v_lane < p_priority or (n.due_at, n.id) < (p_due_at, p_id))
          and (v_lo is null or n.id between v_lo and v_hi)
        limit greatest(p_limit - v_all, 0)) as counted;
      v_all := v_all + v_count;
    end loop;
  end loop;
  return v_all;
end
$$;

comment on function notify.ahead_of(smallint, timestamptz, uuid, integer) is
  'ahead_of(p_priority, p_due_at, p_id, p_limit) -> bigint';
