"""The schema, and the functions that its tables and triggers name; 9999 deploys them too."""

from pathlib import Path

from yoyo import step

SQL = Path(__file__).resolve().parent.parent / "sql"

# What keep_path() made of the database's search_path becomes what it was, unless changed since.
# Before there was keep_path(), this migration set PostgreSQL's own with our schema behind it.
FORGET = r"""
set local search_path = pg_catalog, pg_temp;
do $$
declare
  v_is text := (
    select substr(line, length('search_path=') + 1)
    from pg_db_role_setting, unnest(setconfig) as line
    where setrole = 0 and line like 'search\_path=%'
      and setdatabase = (select oid from pg_database where datname = current_database()));
  v_said text := obj_description('notify'::regnamespace, 'pg_namespace');
  v_kept jsonb := case when v_said like '{%"search_path"%}' then v_said
    else '{"search_path": "\"$user\", public, notify"}' end;
  v_how text := case when v_kept ->> 'before' is null then 'reset search_path'
    else 'set search_path from current' end;
begin
  if v_is = v_kept ->> 'search_path' then
    perform set_config('search_path', v_kept ->> 'before', true);
    execute pg_catalog.format('alter database %I %s', pg_catalog.current_database(), v_how);
  end if;
exception when insufficient_privilege then
  raise notice 'not the owner of this database: its search_path stays';
end
$$
"""

step("set local search_path = pg_catalog, pg_temp")
step("create schema if not exists notify", FORGET + "; drop schema notify")
for name in (
    "new_id",
    "is_http_url",
    "is_too_long",
    "is_mailbox",
    "are_mail_headers",
    "unmet_mail_rule",
    "unmet_rule",
    "accept",
    "wake",
):
    step(
        (SQL / f"{name}.sql").read_text(encoding="utf-8"),
        f"drop function if exists notify.{name}",
    )
