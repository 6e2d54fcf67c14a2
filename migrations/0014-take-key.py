"""The trigger that takes idempotency keys, with the functions that it calls; 9999 deploys them too."""

from pathlib import Path

from yoyo import step

__depends__ = {"0013-edge"}
SQL = Path(__file__).resolve().parent.parent / "sql"

step("set local search_path = pg_catalog, pg_temp")
# The constraint's lock, at once: to go up to it from the trigger's would be a deadlock with claims.
step("lock table notify.notifications in access exclusive mode")
for name in ("request_hash", "known_key", "take_key"):
    step(
        (SQL / f"{name}.sql").read_text(encoding="utf-8"),
        f"drop function if exists notify.{name}",
    )
# Its name makes it the last one that fires: triggers fire in the order of their names.
step(
    """
create or replace trigger "~take_key" before insert on notify.notifications
for each row when (new.idempotency_key is not null) execute function notify.take_key()
""",
    'drop trigger if exists "~take_key" on notify.notifications',
)
# Nothing is deleted, so there is nothing to vacuum. And without statistics the planner counts pages,
# and never takes a table that has grown since for a small one.
step("""
alter table notify.idempotency_keys set (autovacuum_enabled = off);
alter table notify.idempotency_keys_before set (autovacuum_enabled = off)
""")
# A row's texts are bounded by a CHECK as well: somebody's UPDATE runs no trigger.
step(
    """
do $$
begin
  if not exists (select from pg_constraint
    where conrelid = 'notify.notifications'::regclass and conname = 'texts_are_short'
      and pg_get_constraintdef(oid) like '%idempotency_key%') then
    alter table notify.notifications
      drop constraint if exists texts_are_short,
      add constraint texts_are_short check (
        greatest(octet_length(channel), octet_length(recipient), octet_length(reference),
          octet_length(claimed_by), octet_length(last_error_code), octet_length(last_error),
          octet_length(producer), octet_length(idempotency_key)) <= 8192)
        not valid;
  end if;
end
$$
""",
    """
do $$
begin
  alter table notify.notifications
    drop constraint if exists texts_are_short,
    add constraint texts_are_short check (
      greatest(octet_length(channel), octet_length(recipient), octet_length(reference),
        octet_length(claimed_by), octet_length(last_error_code), octet_length(last_error)) <= 8192)
      not valid;
end
$$
""",
)
