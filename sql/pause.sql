-- pause(p_s) -> nothing
--
-- Sleep without a snapshot, so that vacuum may take what dies meanwhile.
--
-- Args     p_s double precision, seconds
-- Note     It says that it is immutable, which it is not: for a function that may be volatile PL/pgSQL takes a
--          snapshot, and pg_sleep() would hold it
-- Caller   wait()
create or replace function notify.pause(p_s double precision) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_nothing constant text := pg_sleep(p_s);
begin
  return v_nothing;
end
$$;

comment on function notify.pause(double precision) is 'pause(p_s) -> nothing';
