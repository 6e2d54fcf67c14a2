-- open_watches() -> nothing
--
-- Let PUBLIC call what a watch calls with the rights of whoever changes a table, if there are watches.
--
-- Note     Until the first watch the schema stays closed
-- Locks    the row of notify.watch_secret if there is something to grant: two GRANTs at once would fail. Not that of
--          notify.settings: an open transaction of a producer, who makes the first watch, would keep it from the roles
-- Caller   keep_watch(), keep_rights()
create or replace function notify.open_watches() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_function regprocedure;
begin
  if not exists (select from notify.kept_watches) or has_schema_privilege('public', 'notify', 'usage')
    and not exists (
      select from notify.public_rights() f where not has_function_privilege('public', f.name::regprocedure, 'execute'))
  then
    return;
  end if;
  perform from notify.watch_secret for update;
  if not has_schema_privilege('public', 'notify', 'usage') then
    grant usage on schema notify to public;
  end if;
  for v_function in select f.name::regprocedure from notify.public_rights() f loop
    if not has_function_privilege('public', v_function, 'execute') then
      execute format('grant execute on function %s to public', v_function);
    end if;
  end loop;
end
$$;

comment on function notify.open_watches() is 'open_watches() -> nothing';
