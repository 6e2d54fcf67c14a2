-- home(p_environment) -> one row
--
-- Say whether the ledger is at home here, for this caller, and what is known of its home.
--
-- Args     p_environment text, the caller's ENVIRONMENT; null or '': none
-- Returns  is_home boolean, as is_home(); environment text, the declared one (null: none); is_place boolean, as
--          is_home_place(); is_in_use boolean: since the server's last start somebody found it at home here, so
--          this is no copy, and who is refused has a wrong ENVIRONMENT
-- Note     The first caller at home after a start of the server notes that start: later claims compare no
--          identifier
-- Locks    the row of notify.settings, once per start of the server; skipped if somebody has it
-- Caller   Store.home, workers' Store.home, discard()
create or replace function notify.home(p_environment text)
returns table (is_home boolean, environment text, is_place boolean, is_in_use boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_started_at constant timestamptz := pg_postmaster_start_time();
begin
  is_home := notify.is_home(p_environment);
  is_place := notify.is_home_place();
  if is_home and is_place and not current_setting('transaction_read_only')::boolean then
    update notify.settings s set server_started_at = v_started_at
    where s.server_started_at is distinct from v_started_at
      and s.is_only = (select o.is_only from notify.settings o for update skip locked);
  end if;
  select s.environment, is_place and s.server_started_at = v_started_at into environment, is_in_use
  from notify.settings s;
  is_in_use := coalesce(is_in_use, false);
  return next;
end
$$;

comment on function notify.home(text) is 'home(p_environment) -> one row';
