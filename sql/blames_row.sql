-- blames_row(p_sqlstate) -> boolean
--
-- Say whether an error that was caught may be about one row: somebody's trigger, a constraint, an overflow, a
-- value that cannot be read. The others of its batch are then tried without it.
--
-- Returns  false for what the server says of itself (is_servers_own), if it cannot write now: a trigger may
--          raise any SQLSTATE, and what it calls may find another server away
-- Locks    none; a subtransaction for the write, a delta of nothing, which fold_slo() takes away
-- Caller   claim_each(), settle_each(), release_each(), end_leases(), cancel(), requeue()
create or replace function notify.blames_row(p_sqlstate text) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if notify.is_servers_own(p_sqlstate) then
    insert into notify.slo_deltas (day, channel, priority, result, count)
    values ((clock_timestamp() at time zone 'utc')::date, 'log', 2, 'failed', 0);
  end if;
  return true;
exception when others then
  return false;
end
$$;

comment on function notify.blames_row(text) is 'blames_row(p_sqlstate) -> boolean';
