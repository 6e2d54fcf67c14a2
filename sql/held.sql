-- held(p_worker, p_limit) -> (id, attempt)
--
-- List what a worker has claimed according to the ledger, without what it has sent already and the database does not
-- let it settle: end_leases() does that. If the worker does not know a row, the answer to
-- that claim was lost: the worker gives the row back, so that nobody has to wait until the lease passes.
--
-- Returns  up to p_limit rows of each range of days, the oldest lease first
-- Locks    none: release() is fenced
-- Plan     notifications_leased, which has an entry for each row that workers hold; attempts by the primary key
-- Caller   workers' Store.held
create or replace function notify.held(p_worker text, p_limit integer)
returns table (id uuid, attempt integer)
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
#variable_conflict use_column
declare
  v_lo uuid;
  v_hi uuid;
begin
  if notify.is_long() then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  for v_lo, v_hi in select s.lo, s.hi from notify.spans() s loop
    return query
    select n.id, n.attempt
    from notify.notifications n
    where n.status = 'sending' and n.claimed_by = p_worker and (v_lo is null or n.id between v_lo and v_hi)
      and not exists (select from notify.attempts a
        where a.notification_id = n.id and a.attempt = n.attempt and a.worker = p_worker
          and (v_lo is null or a.notification_id between v_lo and v_hi))
    order by n.lease_until
    limit p_limit;
  end loop;
end
$$;

comment on function notify.held(text, integer) is 'held(p_worker, p_limit) -> (id, attempt)';
