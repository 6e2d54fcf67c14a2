-- bring_back(p_limit) -> how many came back
--
-- Bring back what waits for pauses that were resumed, the oldest first, and forget a pause for which nothing waits
-- any more.
--
-- Moves    nothing: queued stays queued, and is due now
-- Args     p_limit integer, how many may be due in each lane and range of days: what else is due counts, so that it
--          does not wait behind all that comes back. At least a tenth comes in any case, shared by the pauses
-- Returns  the number. A row that a trigger keeps waits on, and its pause with it
-- Note     It takes a second, and what was begun by then: a lane of a pause has half of the time that is left, and the
--          pauses come in any order, so that one whose rows are refused does not keep the others from theirs
-- Fence    status queued, and the due_at of that pause
-- Locks    as bring_forward()
-- Plan     notifications_due: the range of that due_at in each lane
-- Caller   LeaderStore.bring_back
create or replace function notify.bring_back(p_limit integer) returns integer
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_now timestamptz;                        -- a variable: a volatile function bounds no scan
  v_ends timestamptz := clock_timestamp() + interval '1 second';
  v_lane_ends timestamptz;
  v_batch constant integer := 1000;
  v_pauses constant bigint := (select count(*) from notify.pauses p where p.resumed_at is not null);
  v_all integer := 0;
  v_id bigint;
  v_waits_at timestamptz;
  v_lo uuid;
  v_hi uuid;
  v_lane smallint;
  v_room integer;
  v_ids uuid[];
  v_count integer;
begin
  if notify.is_long() then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  for v_id, v_waits_at in
    select p.id, p.waits_at from notify.pauses p where p.resumed_at is not null order by random()
  loop
    for v_lo, v_hi in select s.lo, s.hi from notify.spans(true) s order by s.lo loop
      for v_lane in 0..3 loop
        if clock_timestamp() >= v_ends then
          return v_all;
        end if;
        v_lane_ends := clock_timestamp() + (v_ends - clock_timestamp()) / 2;
        v_room := null;
        v_ids := array['00000000-0000-0000-0000-000000000000'::uuid];
        loop                                -- behind what a trigger keeps, others may wait
          v_ids := array(
            select n.id from notify.notifications n
            where n.status = 'queued' and n.priority = v_lane and n.due_at = v_waits_at
              and n.id > v_ids[cardinality(v_ids)] and (v_lo is null or n.id between v_lo and v_hi)
            order by n.id
            limit least(coalesce(v_room, p_limit), v_batch));
          exit when v_ids = '{}';
          if v_room is null then
            v_now := clock_timestamp();     -- what has just come back counts as well
            select greatest(p_limit / 10 / greatest(v_pauses, 1), 1, p_limit - count(*)) into v_room from (
              select from notify.notifications n
              where n.status = 'queued' and n.priority = v_lane and n.due_at <= v_now
                and (v_lo is null or n.id between v_lo and v_hi)
              limit p_limit) as counted;
            v_ids := v_ids[:v_room];
          end if;
          v_count := notify.bring_forward(
            v_ids, array_fill(clock_timestamp(), array[cardinality(v_ids)]), v_lane_ends);
          v_all := v_all + v_count;
          v_room := v_room - v_count;
          exit when v_room <= 0 or clock_timestamp() >= v_lane_ends;
        end loop;
      end loop;
    end loop;
    delete from notify.pauses p where p.id = v_id and (select q.waiting from notify.paused(v_id, 1) q) = 0;
  end loop;
  return v_all;
end
$$;

comment on function notify.bring_back(integer) is 'bring_back(p_limit) -> how many came back';
