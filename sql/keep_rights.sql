-- keep_rights() -> nothing
--
-- Take EXECUTE from PUBLIC on all of our functions but new_id() and those of public_rights(), and give it to whom the
-- tables' rights imply. Take the hashes of API keys, and the secret of watches, from the roles that only read.
--
-- Note     A function that is made new may be executed by PUBLIC. ALTER DEFAULT PRIVILEGES could only forbid that for
--          every schema of the owner, so each deploy calls this, in its own transaction. It may run again.
--          Whoever may SELECT notifications keeps what it could call: those functions run with the caller's rights,
--          and give nobody more. SECURITY DEFINER ones are for who may UPDATE notifications, which is the service
--          under a role that owns nothing. A grant that somebody made by hand stays. Producers get what is theirs,
--          and notify_scaler gauges(), with the columns that it counts by
-- Locks    the row of notify.settings: two GRANTs at once would fail
-- Caller   the migration 9999; ops/postgres/roles.sql
create or replace function notify.keep_rights() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_function regprocedure;
  v_privilege text;
  v_role text;
begin
  perform from notify.settings for update;
  for v_function, v_privilege in
    select p.oid, case when p.prosecdef then 'UPDATE' else 'SELECT' end
    from pg_proc p
    where p.pronamespace = 'notify'::regnamespace and p.proname <> 'new_id' and pg_has_role(p.proowner, 'usage')
  loop
    execute format('revoke execute on routine %s from public', v_function);
    for v_role in
      select a.grantee::regrole
      from pg_class c, aclexplode(c.relacl) a
      where c.oid = 'notify.notifications'::regclass and a.grantee not in (0, c.relowner)
        and a.privilege_type = v_privilege
      union
      select r.oid::regrole                    -- they may by no grant on our tables
      from pg_roles r join (values ('SELECT', 'pg_read_all_data'), ('UPDATE', 'pg_write_all_data'))
        as k(privilege, name) on k.name = r.rolname and k.privilege = v_privilege
      where exists (select from pg_auth_members m where m.roleid = r.oid)
    loop
      execute format('grant execute on routine %s to %s', v_function, v_role);
    end loop;
  end loop;
  grant execute on function notify.new_id to public;
  for v_role in select r.rolname from pg_roles r where r.rolname in ('notify_reader', 'notify_ops') loop
    execute format('revoke select on notify.api_keys, notify.watch_secret from %I', v_role);
  end loop;
  if exists (select from pg_roles r where r.rolname = 'notify_scaler') then
    grant select (id, status, priority, due_at) on notify.notifications to notify_scaler;
    grant select on notify.quiet_days to notify_scaler;
    grant execute on function notify.gauges, notify.lanes, notify.spans, notify.is_long, notify.id_floor to notify_scaler;
  end if;

  for v_role in
    select r.rolname from pg_roles r
    where r.rolname = 'notify_producer' or exists (select from notify.producer_roles p where p.role = r.rolname)
  loop
    perform notify.grant_producer(v_role);
  end loop;
  perform notify.name_producers();
  perform notify.open_watches();
end
$$;

comment on function notify.keep_rights() is 'keep_rights() -> nothing';
