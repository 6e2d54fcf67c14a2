-- abandoned_leases(p_since, p_limit) -> integer
--
-- Count the leases that passed long ago and were not reaped: no dispatcher does its work. Not those whose attempt
-- has ended and that the database does not let move: stuck() names them.
--
-- Args     p_since interval, how long ago they passed; p_limit integer, where the count stops
-- Plan     notifications_leased, for each range of spans() in turn; attempts by the primary key
-- Caller   checkup()
create or replace function notify.abandoned_leases(p_since interval, p_limit integer) returns integer
language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan
set enable_seqscan = off set jit = off set max_parallel_workers_per_gather = 0
set enable_partition_pruning = on as $$
declare
  v_before timestamptz := clock_timestamp() - p_since;
  v_all integer := 0;
  v_count integer;
  v_lo uuid;
  v_hi uuid;
begin
  for v_lo, v_hi in select s.lo, s.hi from notify.spans() s loop
    select count(*) into v_count from (
      select from notify.notifications n
      where n.status = 'sending' and n.lease_until < v_before and (v_lo is null or n.id between v_lo and v_hi)
        and not exists (select from notify.attempts a
          where a.notification_id = n.id and a.attempt = n.attempt and a.worker = n.claimed_by
            and (v_lo is null or a.notification_id between v_lo and v_hi))
      limit p_limit - v_all) as counted;
    v_all := v_all + v_count;
  end loop;
  return v_all;
end
$$;

comment on function notify.abandoned_leases(interval, integer) is 'abandoned_leases(p_since, p_limit) -> integer';
