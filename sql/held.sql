-- held(p_worker, p_limit) -> (id, attempt)
--
-- Say what a worker has according to the ledger. What it knows nothing of was claimed by a call whose answer
-- was lost: it gives that back, instead of everybody waiting for the lease.
--
-- Returns  up to p_limit rows, the oldest lease first
-- Locks    none: release() is fenced
-- Plan     notifications_leased, which is as small as what all workers hold
-- Caller   Store.held
create or replace function notify.held(p_worker text, p_limit integer)
returns table (id uuid, attempt integer)
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
#variable_conflict use_column
begin
  return query
  select n.id, n.attempt
  from notify.notifications n
  where n.status = 'sending' and n.claimed_by = p_worker
  order by n.lease_until
  limit p_limit;
end
$$;

comment on function notify.held(text, integer) is 'held(p_worker, p_limit) -> (id, attempt)';
