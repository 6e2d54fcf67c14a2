"""What the doorway knows of a row, and the triggers for it; 9999 deploys the functions too."""

from pathlib import Path

from yoyo import step

__depends__ = {"0015-payload-days"}
SQL = Path(__file__).resolve().parent.parent / "sql"
# Another role than the one that speaks inserts: a function with its owner's rights. accept() asks
# about the one that speaks itself, so that the API's rows cost no look at privileges here.
# The table's name is a text: a constant of regclass would be a dependency, and to drop a broken
# api_keys would drop the checks with it.
MAY_NAME = """new.producer is not null
  and (current_user <> session_user or current_setting('role') <> 'none')
  and has_table_privilege('notify.api_keys', 'update')"""
TEXTS_ARE_SHORT = """
do $$
begin
  if exists (select from pg_constraint
    where conrelid = 'notify.notifications'::regclass and conname = 'texts_are_short'
      and pg_get_constraintdef(oid) like '%traceparent%') is not {has} then
    alter table notify.notifications
      drop constraint if exists texts_are_short,
      add constraint texts_are_short check (
        greatest(octet_length(channel), octet_length(recipient), octet_length(reference),
          octet_length(claimed_by), octet_length(last_error_code), octet_length(last_error),
          octet_length(producer), octet_length(idempotency_key){more}) <= 8192)
        not valid;
  end if;
end
$$
"""

step("set local search_path = pg_catalog, pg_temp")
# The constraint's lock, at once: to go up to it from the triggers' would be a deadlock with claims.
step("lock table notify.notifications in access exclusive mode")
# Constant defaults: no row is rewritten.
step(
    """
alter table notify.notifications
  add column if not exists transaction_id xid8,       -- that enqueued it; accept() sets it
  add column if not exists traceparent text,          -- W3C Trace Context, of whoever enqueued it
  add column if not exists notify_on_end boolean not null default false  -- ring notify_end then
""",
    """
alter table notify.notifications
  drop column if exists transaction_id,
  drop column if exists traceparent,
  drop column if exists notify_on_end
""",
)
# A default that somebody's hand took from a column that is there.
step("alter table notify.notifications alter column notify_on_end set default false")
step(
    TEXTS_ARE_SHORT.format(has="true", more=", octet_length(traceparent)"),
    TEXTS_ARE_SHORT.format(has="false", more=""),
)
step((SQL / "accept.sql").read_text(encoding="utf-8"))
# Who inserts is known to the condition alone: accept() runs with its owner's rights.
step(
    f"""
create or replace trigger "+accept" before insert on notify.notifications
for each row when ({MAY_NAME})
execute function notify.accept('named')
""",
    'drop trigger if exists "+accept" on notify.notifications',
)
step(
    f"""
create or replace trigger accept before insert on notify.notifications
for each row when (({MAY_NAME}) is not true)
execute function notify.accept()
""",
    """
create or replace trigger accept before insert on notify.notifications
for each row execute function notify.accept()
""",
)
step(
    (SQL / "tell_end.sql").read_text(encoding="utf-8"),
    "drop function if exists notify.tell_end",
)
step(
    """
create or replace trigger tell_end after update of status on notify.notifications
for each row when (new.notify_on_end and new.settled_at is not null and old.settled_at is null)
execute function notify.tell_end()
""",
    "drop trigger if exists tell_end on notify.notifications",
)
