"""The schema, and the functions that its tables and triggers name; 9999 deploys them too."""

from pathlib import Path

from yoyo import step

SQL = Path(__file__).resolve().parent.parent / "sql"

step("set local search_path = pg_catalog, pg_temp")
step("create schema if not exists notify", "drop schema notify")
for name in (
    "new_id",
    "is_http_url",
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

# So that producers may write `insert into notifications`. Where such a table exists already, it
# comes first, and they write notify.notifications.
step("""
do $$
declare
  v_path text := (select reset_val from pg_settings where name = 'search_path');
begin
  if v_path !~ '\\mnotify\\M' then
    execute format(
      'alter database %I set search_path = %s', current_database(), v_path || ', notify');
  end if;
exception when insufficient_privilege then
  raise notice 'not the owner of this database: producers write notify.notifications';
end
$$
""")
