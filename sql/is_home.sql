-- is_home(p_environment) -> whether the ledger is at home here, for this caller
--
-- Judge whether notifications may be sent from here. If not, the ledger is a copy of one that has its home
-- elsewhere, or the caller has a wrong ENVIRONMENT.
--
-- Args     p_environment text, the caller's ENVIRONMENT; null or '': none
-- Returns  boolean. Where an environment is declared in notify.settings, it is at home for callers of that name
--          alone. Where none is, server and database decide: is_home_place()
-- Note     It runs with its owner's rights: a worker needs none on notify.settings. It compares one row, and
--          reads nothing else once this start of the server is noted
-- Caller   claim(), home(), keep_settings(), notice_copy(), adopt(), explain_road()
create or replace function notify.is_home(p_environment text) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce((
    select case when s.environment is not null then s.environment = p_environment
      when s.database_name = current_database() and s.server_started_at = pg_postmaster_start_time() then true
      else notify.is_home_place() end
    from notify.settings s), false);
end
$$;

comment on function notify.is_home(text) is
  'is_home(p_environment) -> whether the ledger is at home here, for this caller';
