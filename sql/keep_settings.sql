-- keep_settings(p_environment, p_idempotency_hours, p_payload_days) -> what was done
--
-- Write into notify.settings what SQL must know of the settings, and where the ledger is at home.
--
-- Args     p_environment text, ENVIRONMENT: declared where none is (null or '': none). p_idempotency_hours
--          double precision (null: as it was); p_payload_days integer (null: payloads live as long as their rows)
-- Returns  text: 'copy', nothing was written, as the ledger is not at home here; 'declared', its environment is
--          declared from now on; 'moved', the environment is the same on another server or under another
--          database name, as after a restore, pg_upgrade or a rename; else 'kept'
-- Note     A declared environment is never overwritten, and no copy declares itself: only adopt() does either.
--          It writes only what has changed, and removes notices that no longer hold: of before the server's
--          last start, and of callers who are at home now
-- Locks    the row of notify.settings
-- Caller   LeaderStore.keep_settings, Backend.keep_settings
create or replace function notify.keep_settings(
  p_environment text, p_idempotency_hours double precision, p_payload_days integer) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_environment constant text := nullif(p_environment, '');
  v_identifier constant bigint := notify.server_identifier();
  v_started_at constant timestamptz := pg_postmaster_start_time();
  v_was notify.settings;
  v_is notify.settings;
begin
  select * into v_was from notify.settings for update;
  if not notify.is_home(v_environment) then
    return 'copy';
  end if;
  v_is := v_was;
  v_is.environment := coalesce(v_was.environment, v_environment);
  v_is.system_identifier := coalesce(v_identifier, v_was.system_identifier);
  v_is.database_name := current_database();
  v_is.server_started_at := v_started_at;
  v_is.idempotency_window :=
    coalesce(make_interval(secs => p_idempotency_hours * 3600), v_was.idempotency_window);
  v_is.payload_days := p_payload_days;
  if v_is is distinct from v_was then
    update notify.settings s set
      environment = v_is.environment,
      system_identifier = v_is.system_identifier,
      database_name = v_is.database_name,
      server_started_at = v_is.server_started_at,
      idempotency_window = v_is.idempotency_window,
      payload_days = v_is.payload_days;
  end if;
  delete from notify.copies c
  where c.server_started_at <> v_started_at or c.environment = coalesce(v_environment, '');
  return case
    when v_is.environment is distinct from v_was.environment then 'declared'
    when v_is.database_name is distinct from v_was.database_name
      or v_is.system_identifier <> v_was.system_identifier then 'moved'
    else 'kept' end;
end
$$;

comment on function notify.keep_settings(text, double precision, integer) is
  'keep_settings(p_environment, p_idempotency_hours, p_payload_days) -> what was done';
