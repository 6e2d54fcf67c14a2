-- due_unpaused(p_limit, p_takes_tests, p_skip) -> ids, urgent first
--
-- Find what is due and not paused, behind what a pause covers and nobody could set aside: else that would be all that
-- a worker finds, each time.
--
-- Args     p_limit integer, how many ids; p_takes_tests boolean: also rows of is_test; p_skip uuid[], which are left
--          out
-- Returns  uuid[]. It looks at the first 1000 due rows of each lane and range of days, and at the first 5000 where it
--          finds none of them
-- Plan     notifications_due, from the head of each lane; covered(). A hash join only: a nested loop would walk what is
--          covered for each row
-- Caller   claim(), claim_each()
create or replace function notify.due_unpaused(p_limit integer, p_takes_tests boolean, p_skip uuid[]) returns uuid[]
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_nestloop = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_now timestamptz := clock_timestamp();   -- a variable: a volatile function bounds no scan
  v_found uuid[] := '{}';
  v_ids uuid[];
  v_new uuid[];
  v_lo uuid;
  v_hi uuid;
  v_lane smallint;
  v_most integer;
begin
  if exists (select from notify.quiet_days) then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  for v_lo, v_hi in select s.lo, s.hi from notify.spans() s order by s.lo desc loop
    for v_lane in 0..3 loop
      foreach v_most in array '{1000,5000}'::integer[] loop
        v_ids := array(
          select n.id from notify.notifications n
          where n.status = 'queued' and n.priority = v_lane and n.due_at <= v_now
            and (v_lo is null or n.id between v_lo and v_hi) and (p_takes_tests or not n.is_test)
          order by n.due_at, n.id
          limit v_most);
        v_new := array(
          select u.id from unnest(v_ids) with ordinality as u(id, place)
          left join notify.covered(v_ids) c on c.id = u.id
          where c.id is null and u.id <> all (p_skip)
          order by u.place
          limit p_limit - cardinality(v_found));
        exit when v_new <> '{}' or cardinality(v_ids) < v_most;
      end loop;
      v_found := v_found || v_new;
      if cardinality(v_found) >= p_limit then
        return v_found;
      end if;
    end loop;
  end loop;
  return v_found;
end
$$;

comment on function notify.due_unpaused(integer, boolean, uuid[]) is
  'due_unpaused(p_limit, p_takes_tests, p_skip) -> ids, urgent first';
