-- revoke_producer(role) -> nothing
--
-- Take from a role what grant_producer() gave it, and the producer's name. What it sent stays, and is delivered. Its
-- watches are off.
--
-- Args     role name
-- Raises   42501: only the owner revokes; 42704: there is no such role
-- Note     USAGE of the schema stays with a role that has other rights in it
-- Locks    the row of notify.settings: two GRANTs at once would fail
-- Caller   the migration 9999 deploys it; an operator calls it
create or replace function notify.revoke_producer(role name) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_statement text;
begin
  perform notify.check_grant(role);
  perform from notify.settings for update;
  for v_statement in
    select format('revoke %s%s on %s %s from %I', r.privilege, ' (' || r.attribute || ')', r.kind, r.name, role)
    from notify.producer_rights() r
    where r.kind <> 'schema' or not exists (
      select from pg_class c, aclexplode(c.relacl) a
      where c.relnamespace = 'notify'::regnamespace and a.grantee = quote_ident(role)::regrole
        and (c.oid::regclass::text, lower(a.privilege_type collate "C")) not in (
          select w.name, w.privilege from notify.producer_rights() w))
  loop
    execute v_statement;
  end loop;
  delete from notify.kept_watches w where w.made_by = revoke_producer.role;
  delete from notify.producer_roles p where p.role = revoke_producer.role;
  perform notify.name_producers();
end
$$;

comment on function notify.revoke_producer(name) is 'revoke_producer(role) -> nothing';
