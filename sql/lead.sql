-- lead() -> whether this session leads
--
-- Elect one dispatcher: the others stand by and ask again each second.
--
-- Returns  true if this session was the first to ask, and as long as it lives. Where nothing can be written, as
--          on a primary that a failover has demoted, it raises 25006: nobody leads there, and a new session may
--          find the primary
-- Locks    advisory (1852798057, 2), exclusive, for the session; taken at most once
-- Note     It never waits for the lock: waiting inside pg_advisory_lock would keep a snapshot open.
--          Any role can take the lock; lock_holder(2) says who has it.
-- Caller   Leader.elect
create or replace function notify.lead() returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if current_setting('transaction_read_only')::boolean then
    raise read_only_sql_transaction using message = 'nothing can be written here: this is no primary';
  end if;
  return exists (
    select from pg_locks
    where locktype = 'advisory' and classid = 1852798057 and objid = 2 and objsubid = 2
      and database = (select oid from pg_database where datname = current_database())
      and pid = pg_backend_pid() and granted and mode = 'ExclusiveLock'
  ) or pg_try_advisory_lock(1852798057, 2);
end
$$;

comment on function notify.lead() is 'lead() -> whether this session leads';
