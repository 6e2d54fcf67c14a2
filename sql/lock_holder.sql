-- lock_holder(p_lock) -> at most one row
--
-- Return who holds one of our advisory locks: any role can take them, and would stop our dispatcher.
--
-- Args     p_lock integer: 1 the doorbell's, 2 the lead's
-- Returns  pid (null: a prepared transaction), role, application, and is_ours: it is a session of a dispatcher,
--          which has our application_name (or the caller's own, as the URL may set one) and a role that may
--          write the ledger. A session that is not ours comes first. The caller is left out, and so are producers
--          in flight, where it may see that they are: they share the doorbell's lock for their transaction
-- Note     Every role may read pg_locks and whose a session is; what a session does takes pg_read_all_stats.
-- Caller   Leader.holder, Doorbell.arm, DoctorStore.lock_holder, explain_road()
create or replace function notify.lock_holder(p_lock integer)
returns table (pid integer, role text, application text, is_ours boolean)
language sql set search_path = pg_catalog, pg_temp as $$
  select h.pid, h.role, h.application, h.is_ours
  from (
    select l.pid, a.usename::text as role, a.application_name as application,
      coalesce(
        a.application_name in ('notify-disp', current_setting('application_name'))
        and has_table_privilege(a.usesysid, 'notify.notifications', 'update'), false) as is_ours
    from pg_locks l
    left join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'advisory' and l.classid = 1852798057 and l.objid = p_lock::oid and l.objsubid = 2
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
      and l.granted and l.pid is distinct from pg_backend_pid()
      and not (p_lock = 1 and l.mode = 'ShareLock' and a.pid is not null
        and (a.xact_start is not null or a.state is null))
  ) h
  order by h.is_ours, h.pid
  limit 1
$$;

comment on function notify.lock_holder(integer) is 'lock_holder(p_lock) -> at most one row';
