-- arm(p_wait_ms) -> whether the doorbell is armed
--
-- Take the doorbell's lock for this session, so that every later INSERT rings.
--
-- Args     p_wait_ms integer, how long to wait for producers in flight
-- Returns  true: this session holds the lock, and a look that begins now sees every row whose INSERT did not ring.
--          false: the transaction of a producer that will not ring is still open, so look again
-- Locks    advisory (1852798057, 1), exclusive, for the session; pg_advisory_unlock_all() disarms
-- Note     While somebody else holds the lock, it cannot arm: lock_holder(1) says who that is.
--          ops/adr/0002-doorbell.md says why this order loses no wake-up
-- Caller   Doorbell.arm
create or replace function notify.arm(p_wait_ms integer) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if pg_try_advisory_lock(1852798057, 1) then
    return true;
  end if;
  perform set_config('lock_timeout', p_wait_ms::text, true);
  perform pg_advisory_lock(1852798057, 1);       -- while this waits, new producers ring
  return true;
exception when lock_not_available then
  return false;
end
$$;

comment on function notify.arm(integer) is 'arm(p_wait_ms) -> whether the doorbell is armed';
