-- environment_here() -> the declared environment, where server and database are those of home
--
-- Speak for a caller of before, who has no ENVIRONMENT: server and database decide alone.
--
-- Returns  text for is_home(); null: none is declared, or this is not the place
-- Caller   claim(), claim_each()
create or replace function notify.environment_here() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (select s.environment from notify.settings s where notify.is_home_place());
end
$$;

comment on function notify.environment_here() is
  'environment_here() -> the declared environment, where server and database are those of home';
