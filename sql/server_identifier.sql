-- server_identifier() -> the identifier of this server
--
-- Name the server: a replica has its primary's identifier, a new cluster one of its own.
--
-- Returns  bigint; null: not even the owner of our schema may read it
-- Note     It reads a file. It runs with its owner's rights, because somebody may have forbidden
--          pg_control_system() to other roles
-- Caller   is_home_place(), keep_settings(), notice_copy(), adopt()
create or replace function notify.server_identifier() returns bigint
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (select c.system_identifier from pg_control_system() c);
exception when insufficient_privilege then
  return null;
end
$$;

comment on function notify.server_identifier() is 'server_identifier() -> the identifier of this server';
