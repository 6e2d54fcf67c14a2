-- blames_row(p_sqlstate) -> boolean
--
-- Return whether one row may have caused an error that was caught: by somebody's trigger, a constraint, an
-- overflow, a value that cannot be read. The other rows of the batch are then tried without that row.
--
-- Returns  false if the SQLSTATE is one of the server's own (is_servers_own) and a write fails now. The SQLSTATE
--          alone proves nothing: a trigger may raise any, and may call another server that is away
-- Locks    none; a subtransaction for the write, which is a delta of 0 that fold_slo() deletes
-- Caller   claim_each(), settle_each(), release_each(), end_leases(), cancel(), call_off(), requeue(),
--          bring_forward(), mend_leases(), blank(), erase(), put_off()
create or replace function notify.blames_row(p_sqlstate text) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if notify.is_servers_own(p_sqlstate) then
    insert into notify.slo_deltas (day, channel, priority, result, count)
    values ((clock_timestamp() at time zone 'utc')::date, 'log', 2, 'failed', 0);
  end if;
  return true;
exception when others or assert_failure then
  return false;
end
$$;

comment on function notify.blames_row(text) is 'blames_row(p_sqlstate) -> boolean';
