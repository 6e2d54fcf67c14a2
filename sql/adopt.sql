-- adopt(p_environment, p_discarded) -> what was done
--
-- Make this server and database the ledger's home, under this ENVIRONMENT: workers send from here.
--
-- Args     p_environment text, the caller's ENVIRONMENT (null or '': none is declared from now on);
--          p_discarded bigint, what discard() cancelled before, for the audit
-- Returns  text: 'adopted'; 'declared', it was at home here and its environment is declared from now on; 'home',
--          it is at home here, and nothing was changed
-- Note     What is adopted is a ledger of its own: it gets a new id, so that it shares no keys of Redis with
--          its original
-- Locks    the row of notify.settings
-- Caller   AdoptStore.adopt
create or replace function notify.adopt(p_environment text, p_discarded bigint default 0) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_environment constant text := nullif(p_environment, '');
  v_was text;
  v_done text;
begin
  insert into notify.settings (database_name)
  select null where not exists (select from notify.settings);
  select s.environment into v_was from notify.settings s for update;
  v_done := case when not notify.is_home(v_environment) then 'adopted'
    when v_was is distinct from v_environment then 'declared'
    else 'home' end;
  if v_done = 'home' then
    return v_done;
  end if;
  update notify.settings s set
    environment = v_environment,
    system_identifier = notify.server_identifier(),
    database_name = current_database(),
    server_started_at = pg_postmaster_start_time();
  delete from notify.copies;
  if v_done = 'adopted' then
    delete from notify.ledger;
    insert into notify.ledger default values;
  end if;
  insert into notify.audit (actor, verb, detail)
  values (session_user, 'adopt', jsonb_build_object('environment', v_environment, 'was', v_was,
    'discarded', p_discarded));
  return v_done;
end
$$;

comment on function notify.adopt(text, bigint) is 'adopt(p_environment, p_discarded) -> what was done';
