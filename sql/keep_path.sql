-- keep_path(p_theirs) -> what was done
--
-- Let new sessions find our table by its short name: append our schema to this database's search_path. An
-- unqualified name still means what it meant before.
--
-- Args     p_theirs text: the search_path of sessions for which neither the database, nor the role, nor the
--          session sets one; null: PostgreSQL's own default
-- Returns  there: it has our schema already; set; taken: `notifications` is another table; not the owner
-- Note     It reads and writes the database's setting for all roles, never that of a role or a session. It sets
--          the value in the session and takes it FROM CURRENT, because ALTER DATABASE may not be able to read
--          the text itself. The schema's comment keeps the old and the new value, so that a rollback of
--          migrations/0001 can restore the old one.
-- Caller   Backend.keep_path
create or replace function notify.keep_path(p_theirs text) returns text
language plpgsql set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
declare
  v_was text;
  v_all text;
  v_path text;
  v_is text;
  v_found regclass;
begin
  select max(substr(line, length('search_path=') + 1)) filter (where setdatabase <> 0),
    max(substr(line, length('search_path=') + 1)) filter (where setdatabase = 0)
  into v_was, v_all
  from pg_db_role_setting, unnest(setconfig) as line
  where setrole = 0 and line like 'search\_path=%'
    and setdatabase in (0, (select oid from pg_database where datname = current_database()));
  v_path := coalesce(v_was, v_all, p_theirs, '"$user", public');
  v_is := concat_ws(', ', nullif(nullif(v_path, ''), '""'), 'notify');
  if exists (
    select from regexp_matches(v_path, '"(?:[^"]|"")*"|[^",\s]+', 'g') as part
    where part[1] = '"notify"' or lower(part[1] collate "C") = 'notify')
  then
    return 'there';
  end if;
  perform set_config('search_path', v_path, true);
  v_found := pg_catalog.to_regclass('notifications');
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  if v_found is not null then
    return 'taken';
  end if;
  perform set_config('search_path', v_is, true);
  execute pg_catalog.format('alter database %I set search_path from current', pg_catalog.current_database());
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  execute format('comment on schema notify is %L', jsonb_build_object('search_path', v_is, 'before', v_was));
  return 'set';
exception when insufficient_privilege then
  return 'not the owner';
end
$$;

comment on function notify.keep_path(text) is 'keep_path(p_theirs) -> what was done';
