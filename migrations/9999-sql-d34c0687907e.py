"""Deploy every function of sql/ in one transaction; ops.stamp_sql renames this file."""

from pathlib import Path

from yoyo import step

HERE = Path(__file__).resolve().parent
__depends__ = {
    path.stem
    for path in HERE.glob("[0-8]*.*")
    if path.suffix in (".sql", ".py") and not path.name.endswith(".rollback.sql")
}

# What triggers call stays, also those of watches; of that the server knows nothing.
STAYS = (
    "is_http_url", "is_mailbox", "are_mail_headers", "is_too_long", "unmet_mail_rule", "unmet_rule",
    "producer_of", "request_hash", "known_key", "folded",
    "open_watch", "watched", "watch_ticket", "watch_query", "put_watched", "note_watch_fault",
    "is_watched",
)  # fmt: skip
# A function that a table or a trigger refers to stays: a numbered migration made it and drops it.
# Every overload of the name goes: a changed signature is one more of them.
DROP = """
do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select p.oid from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'notify' and p.proname = '{name}'
  loop
    begin
      execute format('drop routine %s', v_function);
    exception when dependent_objects_still_exist then null;
    end;
  end loop;
end $$
"""

# Names and literals are read as they were meant, whatever the role or the database has set.
step("set local search_path = pg_catalog, pg_temp")
step("set local standard_conforming_strings = on")
step("set local lock_timeout = '5s'")
# Who grants meanwhile writes the rights of the same functions: one of the two would fail.
step("do $$ begin perform from notify.settings for update; end $$")
# yoyo forgets earlier deploys, so that going back to an earlier sql/ is a new deploy too. It knows
# them by hash; processes ask by id whether the schema is theirs (/readyz), and those of the deploy
# before run on until they are replaced.
step("""
delete from public._yoyo_migration where migration_hash like 'replaced %' and exists (
  select from public._yoyo_migration
  where migration_id like '9999-sql-%' and migration_hash not like 'replaced %')
""")
step(
    """
update public._yoyo_migration set migration_hash = 'replaced ' || migration_id
where migration_id like '9999-sql-%' and migration_hash not like 'replaced %'
""",
    "delete from public._yoyo_migration where migration_hash like 'replaced %'",
)
for path in sorted(HERE.parent.joinpath("sql").glob("*.sql")):
    drop = None if path.stem in STAYS else DROP.format(name=path.stem)
    step(path.read_text(encoding="utf-8"), drop)
# A function that is made new may be executed by PUBLIC. What stays after a rollback may be again:
# accept() of before runs with the rights of whoever inserts.
step(
    "do $$ begin perform notify.keep_rights(); end $$",
    f"""
do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select oid from pg_proc
    where pronamespace = 'notify'::regnamespace and proname = any ('{{{",".join(STAYS)}}}')
  loop
    execute format('grant execute on function %s to public', v_function);
  end loop;
end $$
""",
)
# A first deploy needs its days at once; what goes wrong here, the hourly job tries again.
step("""
do $$ begin perform notify.keep_partitions(7, interval '10 years');
exception when others then raise warning 'partitions: %', sqlerrm; end $$
""")
