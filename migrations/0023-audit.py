"""Whose copy a notification is, and an audit that is only added to; 9999 deploys sql/ too."""

from pathlib import Path

from yoyo import step

__depends__ = {"0022-probes"}
SQL = Path(__file__).resolve().parent.parent / "sql"

step("set local search_path = pg_catalog, pg_temp")
step(
    (SQL / "audit_is_past.sql").read_text(encoding="utf-8"),
    "drop function if exists notify.audit_is_past",
)
step(
    (SQL / "keep_audit.sql").read_text(encoding="utf-8"),
    "drop function if exists notify.keep_audit",
)
# Made anew, so that one that somebody's hand has switched off fires again.
step(
    """
drop trigger if exists keep_audit on notify.audit;
create trigger keep_audit before update or delete on notify.audit
for each row execute function notify.keep_audit();
drop trigger if exists keep_audit_whole on notify.audit;
create trigger keep_audit_whole before truncate on notify.audit
for each statement execute function notify.keep_audit()
""",
    """
drop trigger if exists keep_audit on notify.audit;
drop trigger if exists keep_audit_whole on notify.audit
""",
)
# Null in every row that is there: none is rewritten. No index: nobody looks for the copies of one.
# The last step, as all wait for it until the end.
step(
    """
alter table notify.notifications
  add column if not exists repeats uuid               -- the notification whose copy it is
""",
    "alter table notify.notifications drop column if exists repeats",
)
