-- keep_audit() -> trigger, before each row of the audit is changed or deleted, and before TRUNCATE
--
-- Refuse it: the audit is only added to. What audit_is_past() says of may be deleted.
--
-- Raises   ND009
-- Note     It stops a slip of the table's owner as well. Who disables the trigger, sets session_replication_role or
--          drops the table means to: faults() then says that the trigger is missing, and migrate makes it again
-- Caller   trigger keep_audit on audit, and keep_audit_whole
create or replace function notify.keep_audit() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'DELETE' then
    if notify.audit_is_past(old.id, old.at, (select max(a.id) from notify.audit a)) then
      return old;
    end if;
  end if;
  raise exception using
    errcode = 'ND009', schema = 'notify', table = 'audit',
    message = format('notify.audit is only added to: no %s', tg_op),
    hint = 'Rows go by themselves: after 400 days, and never before the notifications of their time.';
end
$$;

comment on function notify.keep_audit() is
  'keep_audit() -> trigger, before each row of the audit is changed or deleted, and before TRUNCATE';
