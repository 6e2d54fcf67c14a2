-- check_grant(p_role) -> nothing
--
-- Refuse to grant or revoke what PostgreSQL would only warn of, or would call by another name.
--
-- Raises   42501: we are not the owner; 42704: there is no such role
-- Caller   grant_producer(), revoke_producer()
create or replace function notify.check_grant(p_role name) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_owner regrole := (select c.relowner from pg_class c where c.oid = 'notify.notifications'::regclass);
begin
  if not pg_has_role(v_owner, 'usage') then
    raise insufficient_privilege using message = format('only %s grants rights in notify', v_owner),
      hint = format('Connect as %s, the owner of notify.notifications.', v_owner);
  end if;
  if p_role is null or to_regrole(quote_ident(p_role)) is null then
    raise undefined_object using message = format('there is no role %s', coalesce(quote_ident(p_role), 'null')),
      hint = format('Create it first: create role %s login', coalesce(quote_ident(p_role), '...'));
  end if;
end
$$;

comment on function notify.check_grant(name) is 'check_grant(p_role) -> nothing';
