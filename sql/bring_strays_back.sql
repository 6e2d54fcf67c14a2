-- bring_strays_back(p_limit) -> how many came back
--
-- Bring back what waits for a pause that is not there: it was set aside while the pause ended, or somebody deleted the
-- pause by hand.
--
-- Moves    nothing: queued stays queued, and is due now
-- Args     p_limit integer, at most
-- Returns  the number. A row that a trigger keeps waits on, and none behind it does
-- Note     It takes half a second, and what was begun by then: a batch has half of the time that is left, so that rows
--          that are refused do not keep the others from theirs
-- Fence    status queued. A row that is set aside has its pause before it has that due_at, so none is taken for a stray
-- Locks    as bring_forward()
-- Plan     notifications_due: in each lane from one moment in the years of pauses to the next, so that what waits for
--          a pause is not walked; pauses
-- Caller   LeaderStore.bring_strays_back
create or replace function notify.bring_strays_back(p_limit integer) returns integer
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_ends constant timestamptz := clock_timestamp() + interval '0.5 seconds';
  v_batch constant integer := 1000;
  v_count integer := 0;
  v_lo uuid;
  v_hi uuid;
  v_lane smallint;
  v_waits_at timestamptz;
  v_after timestamptz;
  v_now timestamptz;
  v_ids uuid[];
begin
  if notify.is_long() then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  for v_lo, v_hi in select s.lo, s.hi from notify.spans(true) s order by s.lo loop
    for v_lane in 0..3 loop
      v_after := '3000-01-01Z'::timestamptz - interval '1 microsecond';
      loop
        select n.due_at into v_waits_at from notify.notifications n
        where n.status = 'queued' and n.priority = v_lane and n.due_at > v_after and n.due_at < '4000-01-01Z'
          and (v_lo is null or n.id between v_lo and v_hi)
        order by n.due_at
        limit 1;
        exit when not found;
        if not exists (select from notify.pauses p where p.waits_at = v_waits_at) then
          v_ids := array['00000000-0000-0000-0000-000000000000'::uuid];
          loop                              -- behind what a trigger keeps, others may wait
            v_ids := array(
              select n.id from notify.notifications n
              where n.status = 'queued' and n.priority = v_lane and n.due_at = v_waits_at
                and n.id > v_ids[cardinality(v_ids)] and (v_lo is null or n.id between v_lo and v_hi)
              order by n.id
              limit least(p_limit - v_count, v_batch));
            exit when v_ids = '{}';
            v_now := clock_timestamp();
            v_count := v_count + notify.bring_forward(
              v_ids, array_fill(v_now, array[cardinality(v_ids)]), v_now + (v_ends - v_now) / 2);
            exit when v_count >= p_limit or clock_timestamp() >= v_ends;
          end loop;
        end if;
        if v_count >= p_limit or clock_timestamp() >= v_ends then
          return v_count;
        end if;
        v_after := v_waits_at;
      end loop;
    end loop;
  end loop;
  return v_count;
end
$$;

comment on function notify.bring_strays_back(integer) is 'bring_strays_back(p_limit) -> how many came back';
