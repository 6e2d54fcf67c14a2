-- is_home_place() -> whether this server and database are those of home
--
-- Compare the server's identifier and the database's name with those of notify.settings.
--
-- Returns  boolean; false where notify.settings has no row. By the name alone where nobody may read the
--          identifier
-- Note     The identifier is compared once per start of the server: home() and keep_settings() note the start.
--          A replica that was promoted has its primary's identifier
-- Caller   is_home(), home(), environment_here(), explain_road()
create or replace function notify.is_home_place() returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce((
    select case when s.database_name is distinct from current_database() then false
      when s.server_started_at = pg_postmaster_start_time() then true
      else coalesce(s.system_identifier = notify.server_identifier(), true) end
    from notify.settings s), false);
end
$$;

comment on function notify.is_home_place() is
  'is_home_place() -> whether this server and database are those of home';
