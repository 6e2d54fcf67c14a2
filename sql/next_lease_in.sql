-- next_lease_in() -> the interval until the earliest lease ends
--
-- Return how long it takes until the reaper has something to do.
--
-- Returns  null: nothing is being sent; zero or less: a lease has passed; at most a year, before or after now
-- Plan     notifications_leased, the first entry of each partition
-- Caller   LeaderStore.next_lease_in
create or replace function notify.next_lease_in() returns interval
language plpgsql
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_now timestamptz := clock_timestamp();
  v_ends timestamptz;
  v_lo uuid;
  v_hi uuid;
begin
  if notify.is_long() then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  for v_lo, v_hi in select s.lo, s.hi from notify.spans() s loop
    v_ends := least(v_ends, (
      select n.lease_until from notify.notifications n
      where n.status = 'sending' and (v_lo is null or n.id between v_lo and v_hi)
      order by n.lease_until
      limit 1));
  end loop;
  return case when v_ends is not null
    then least(v_now + interval '1 year', greatest(v_now - interval '1 year', v_ends)) - v_now end;
end
$$;

comment on function notify.next_lease_in() is 'next_lease_in() -> the interval until the earliest lease ends';
