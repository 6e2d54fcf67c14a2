"""The trigger that takes idempotency keys, and what it calls; 9999 deploys the functions too."""

from pathlib import Path

from yoyo import step

__depends__ = {"0013-edge"}
SQL = Path(__file__).resolve().parent.parent / "sql"

step("set local search_path = pg_catalog, pg_temp")
# The constraint's lock, at once: to go up to it from the trigger's would be a deadlock with claims.
step("lock table notify.notifications in access exclusive mode")
for name in ("producer_of", "request_hash", "known_key", "folded", "take_key"):
    step(
        (SQL / f"{name}.sql").read_text(encoding="utf-8"),
        f"drop function if exists notify.{name}",
    )
# Its name makes it the last one that fires: triggers fire in the order of their names.
step(
    """
create or replace trigger "~take_key" before insert on notify.notifications
for each row when (
  new.idempotency_key is not null and current_setting('notify.keys', true) is distinct from 'taken')
execute function notify.take_key()
""",
    'drop trigger if exists "~take_key" on notify.notifications',
)
# Nothing is deleted, so nothing is to be vacuumed. And without statistics the planner counts pages,
# and never takes a table that has grown since for a small one. Keys are compared byte by byte: that
# is quicker, and another version of the system's locales leaves the index as it is.
step("""
do $$
declare
  v_table text;
begin
  foreach v_table in array array['idempotency_keys', 'idempotency_keys_before'] loop
    execute format('alter table notify.%I set (autovacuum_enabled = off)', v_table);
    if exists (select from pg_attribute where attrelid = ('notify.' || v_table)::regclass
      and attname in ('producer', 'key') and attcollation <> '"C"'::regcollation)
    then
      execute format('alter table notify.%I alter producer type text collate "C",
        alter key type text collate "C"', v_table);
    end if;
  end loop;
end
$$
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
