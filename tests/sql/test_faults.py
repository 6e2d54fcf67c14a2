"""Each thing that the service needs and a database lacks is one line, and migrate repairs it."""

import asyncio
import re

import pytest
from psycopg.sql import SQL, Identifier

from service.doctor.schema import schema_findings
from service.errors import DatabaseAway
from service.ledger.doctor_store import DoctorStore
from service.ledger.migrate import migrate
from service.ledger.schema import functions, tables
from tests.ledger import claim, enqueue, keep_partitions, settle
from tests.owner import force, owning
from tests.producers import role
from tests.sql.test_migrate import catalog

TODAY = "notify.notifications' || to_char(now() at time zone 'utc', '_YYYYMMDD')"
# By name, what takes one thing from a database, and what must be said of it.
TAKEN = {
    "pg_restore -n notify": (
        "drop table _yoyo_migration, _yoyo_log, _yoyo_version",
        "schema is missing or old",
    ),
    "some of yoyo's books": ("drop table _yoyo_migration", "schema is missing or old"),
    "no functions": (
        "do $$ declare f regprocedure; begin for f in select oid from pg_proc p where"
        " pronamespace = 'notify'::regnamespace and not exists (select from pg_depend where"
        " refobjid = p.oid and deptype in ('n', 'a')) loop execute 'drop routine ' || f;"
        " end loop; end $$",
        "schema is missing or old",
    ),
    "functions": ("drop function notify.backoff cascade", r"notify.backoff\(integer"),
    "the doorbell": ("drop trigger wake on notify.notifications", "trigger wake .* is missing"),
    "the check": ("drop trigger accept on notify.notifications", "trigger accept .* is missing"),
    "the check, switched off": (
        "alter table notify.notifications disable trigger accept",
        "trigger accept .* is disabled",
    ),
    "all triggers, switched off": (
        "alter table notify.notifications disable trigger user",
        "trigger accept .* is disabled",
    ),
    "what takes keys": (
        'drop trigger "~take_key" on notify.notifications',
        "trigger ~take_key .* is missing",
    ),
    "what takes keys, switched off": (
        'alter table notify.notifications disable trigger "~take_key"',
        "trigger ~take_key .* is disabled",
    ),
    "the check of who names a producer": (
        'drop trigger "+accept" on notify.notifications',
        r"trigger \+accept .* is missing",
    ),
    "the bell of what has ended": (
        "drop trigger tell_end on notify.notifications",
        "trigger tell_end .* is missing",
    ),
    "the transaction": (
        "alter table notify.notifications drop transaction_id cascade",
        "notify.outcome_of.* is missing",  # it goes with the view, which goes with the column
    ),
    "the wait of what is to be forgotten": (
        "alter table notify.settings drop forget_from",
        "column forget_from of notify.settings is missing",
    ),
    "the default of the wish to hear the end": (
        "alter table notify.notifications alter notify_on_end drop default",
        "default of notify.notifications.notify_on_end is missing",
    ),
    "the check of today": (
        f"do $$ begin execute 'alter table {TODAY} || ' disable trigger accept'; end $$",
        "trigger accept of notify.notifications_2.* is disabled",
    ),
    "the post-data section": (
        "drop trigger accept on notify.notifications; drop trigger wake on notify.notifications;"
        "alter table notify.notifications drop constraint notifications_pkey;"
        "alter table notify.attempts drop constraint attempts_pkey;"
        "drop index notify.notifications_due, notify.notifications_leased,"
        " notify.notifications_failed, notify.notifications_reference, notify.notifications_ended",
        "primary key of notify.notifications is missing",
    ),
    "an index": ("drop index notify.notifications_due", "index notify.notifications_due"),
    "the id's default": (
        "alter table notify.notifications alter id drop default",
        "default of notify.notifications.id",
    ),
    "a table": ("drop table notify.slo_deltas", "notify.slo_deltas is missing"),
    "a view": ("drop view notify.outcomes cascade", r"notify.outcome_of\(text\) is missing"),
    "a column": (
        "alter table notify.notifications drop first_claimed_at",
        "column first_claimed_at of notify.notifications is missing",
    ),
    "a body of another release": (
        "create or replace function notify.wake() returns trigger language plpgsql as"
        " 'begin return null; end'",
        "notify.wake.* is not what was deployed",
    ),
    "a body that this server cannot run": (
        "create or replace function notify.new_id() returns uuid language plpgsql as"
        " 'begin return uuidv8(); end'",
        r"new_id fails: function uuidv8\(\) does not exist",
    ),
}
# What migrate leaves to the database's owner: each line says what to run.
KEPT = {
    "read-only": (
        "alter database {} set default_transaction_read_only = on",
        "is read-only: .* reset it",
        "set default_transaction_read_only = off;"
        "alter database {} reset default_transaction_read_only",
    ),
    "replica": (
        "alter database {} set session_replication_role = replica",
        "triggers do not fire",
        "alter database {} reset session_replication_role",
    ),
    "a publication of some rows": (
        "create publication theirs for table notify.notifications where (status = 'sent')"
        " with (publish_via_partition_root = true)",
        "moving a row .*WHERE expression.*alter or drop .*publication theirs",
        "drop publication theirs",
    ),
    "a publication of some columns": (
        "create publication theirs for table notify.notifications (channel)"
        " with (publish_via_partition_root = true)",
        "moving a row .*olumn list.*alter or drop .*publication theirs",
        "drop publication theirs",
    ),
    "a publication of today alone": (
        f"do $$ begin execute 'create publication theirs for table {TODAY}"
        " || ' where (channel = ''log'')'; end $$",
        "moving a row of notify.notifications_2.*publication theirs",
        "drop publication theirs",
    ),
    "no replica identity": (
        "alter table notify.notifications_default replica identity nothing;"
        "create publication theirs for table notify.notifications",
        "moving a row of notify.notifications_default is refused: .*a replica identity",
        "drop publication theirs",
    ),
    "a rule on an update": (
        "create rule theirs as on update to notify.notifications do also select 1",
        "moving a row .*rule theirs on table notify.notifications",
        "drop rule theirs on notify.notifications",
    ),
    "a rule on attempts": (
        "create rule theirs as on insert to notify.attempts do instead nothing",
        "moving a row .*rule theirs on table notify.attempts",
        "drop rule theirs on notify.attempts",
    ),
}


def missing(url):
    """Say what /readyz lacks."""
    return asyncio.run(asked(url, DoctorStore.missing))


def all_faults(url):
    """Say what the doctor finds in the schema, or why it cannot look."""
    try:
        return missing(url) + [str(fault) for fault in asyncio.run(asked(url, DoctorStore.faults))]
    except DatabaseAway as error:
        return [str(error)]


async def asked(url, verb):
    async with DoctorStore(url, "notify-test", connections_max=1) as store:
        return await verb(store)


def test_a_whole_schema_has_no_faults(dsn):
    said = []
    assert migrate(dsn, say=said.append) == []
    assert all_faults(dsn) == said == []


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_taken_is_told_and_migrate_mends_it(dsn, db, name):
    whole = catalog(dsn)
    take, word = TAKEN[name]
    db.execute(take)
    before, said = all_faults(dsn), []
    migrate(dsn, say=said.append)
    assert re.search(word, " ".join(before + said))
    assert all(line.startswith("mended: ") for line in said)
    assert all_faults(dsn) == []
    assert set(whole) == {words for words in catalog(dsn) if "pg.dropped" not in words}
    enqueue(db)
    assert len(settle(db, claim(db))) == 1


def test_a_text_that_is_gone_is_told_and_comes_back_with_the_constraint_that_went(dsn, db):
    """On the days of now the constraint comes back NOT VALID: no row of theirs is read."""
    db.execute("alter table notify.notifications drop traceparent cascade")
    assert re.search("notify.outcome_of.* is missing", " ".join(all_faults(dsn)))
    migrate(dsn)
    assert all_faults(dsn) == []
    enqueue(db)
    assert len(settle(db, claim(db))) == 1


@pytest.mark.parametrize("name", KEPT)
def test_what_only_an_owner_can_mend_is_told_with_what_to_run(dsn, db, name):
    take, word, mend = KEPT[name]
    name = Identifier(db.info.dbname)
    db.execute(SQL(take).format(name))
    assert re.search(word, " ".join(missing(dsn)))
    db.execute(SQL(mend).format(name))
    assert missing(dsn) == []


def test_a_day_that_somebody_detached_is_told_and_stops_nothing(dsn, db):
    db.execute(
        f"do $$ begin execute 'alter table notify.notifications detach partition {TODAY}; end $$"
    )
    assert missing(dsn) == []
    assert re.search("notifications_2.* is not a partition, .*rename", " ".join(all_faults(dsn)))
    assert migrate(dsn) == []


def test_what_keeps_the_figures_alone_is_told_and_stops_nothing(dsn, db):
    db.execute("create publication theirs for table notify.slo_deltas where (count > 1)")
    assert missing(dsn) == []
    assert re.search("fold_slo is refused: .*publication theirs", " ".join(all_faults(dsn)))


@pytest.mark.parametrize("signature", list(functions()))
def test_a_function_that_is_gone_is_named(dsn, db, signature):
    db.execute(SQL("alter routine notify.{} rename to gone").format(SQL(signature)))
    assert missing(dsn)


def test_what_is_not_ours_in_our_schema_is_told(dsn, db):
    db.execute("create table notify.orders (id integer)")
    db.execute("create view public.ours as select * from notify.notifications")
    strangers = asyncio.run(asked(dsn, DoctorStore.strangers))
    assert strangers == ["notify.orders", "public.ours"]
    [finding] = schema_findings([], strangers)
    assert finding.found.startswith("notify.orders is not ours")
    db.execute(finding.advice.partition(": ")[2])
    assert asyncio.run(asked(dsn, DoctorStore.strangers)) == ["public.ours"]


def test_what_a_role_may_not_is_told_with_what_to_grant(dsn, db):
    role = Identifier(f"restored_{db.info.backend_pid}")
    url = dsn.replace("//postgres:", f"//restored_{db.info.backend_pid}:").replace(
        db.info.password, "p"
    )
    db.execute(SQL("create role {} login password 'p'").format(role))
    try:
        assert "permission denied" in " ".join(missing(url))
        for grant, word in [
            ("usage on schema public", ""),
            ("select on public._yoyo_migration", "permission denied for schema notify"),
            ("usage on schema notify", "permission denied for function faults"),
            (
                "execute on all routines in schema notify",
                "may not insert notify.notifications: grant select, insert",
            ),
            ("select, insert, update, delete on all tables in schema notify", ""),
        ]:
            db.execute(SQL("grant " + grant + " to {}").format(role))
            assert word in " ".join(missing(url))
        assert missing(url) == []
        db.execute(SQL("revoke execute on function notify.wake from {}").format(role))
        [line] = missing(url)
        assert "may not execute notify.wake()" in line
        db.execute(line.partition(": ")[2])
        assert missing(url) == []
        db.execute("alter table notify.notifications enable row level security")
        assert "row security hides rows" in " ".join(missing(url))
    finally:
        db.execute(SQL("drop owned by {}").format(role))
        db.execute(SQL("drop role {}").format(role))


def test_a_table_of_another_owner_is_told(dsn, db):
    role = Identifier(f"another_{db.info.backend_pid}")
    db.execute(SQL("create role {}").format(role))
    try:
        db.execute(SQL("alter table notify.attempts owner to {}").format(role))
        [line] = all_faults(dsn)
        assert "notify.attempts belongs to another" in line
        assert missing(dsn) == []
        db.execute(line.partition(": ")[2])
        assert all_faults(dsn) == []
    finally:
        db.execute(SQL("drop role {}").format(role))


def test_row_security_of_days_is_told_in_one_line_and_its_remedy_mends_all(dsn, db):
    with owning(db, dsn) as owner:
        days = db.execute(
            "select relname from pg_class where relname ~ '^(notifications|attempts)_[0-9]{8}$'"
            " and relkind = 'r'"
        ).fetchall()
        for day in days:
            force(db, day.relname)
        query = "select * from notify.faults(%s, %s, true)"
        asked = [list(functions()), tables()]
        [found] = [f for f in owner.execute(query, asked) if "row security" in f.fault]
        assert f"hides rows of {len(days)} partitions, such as notify.notifications" in found.fault
        assert not found.stops
        owner.execute(found.remedy.partition(", or alter role")[0])
        assert [f for f in owner.execute(query, asked) if "row security" in f.fault] == []


def test_a_default_partition_that_was_detached_is_told(dsn, db):
    for table in ("notifications", "attempts"):
        db.execute(f"alter table notify.{table} detach partition notify.{table}_default")
        [line] = [line for line in all_faults(dsn) if "is not a partition" in line]
        db.execute(line.partition(": ")[2])
    assert all_faults(dsn) == []


def test_a_look_of_readyz_costs_the_same_however_many_days_there_are(db):
    look = "select * from notify.faults(%s, %s, false)"

    def locks():
        with db.transaction():
            assert db.execute(look, [list(functions()), tables()]).fetchall() == []
            count = "select count(*) as n from pg_locks where pid = pg_backend_pid()"
            return db.execute(count).fetchone().n

    few = locks()
    assert len(keep_partitions(db, ahead=60)) > 100
    assert locks() == few


def test_a_sequence_that_is_behind_its_rows_is_told(dsn, db):
    db.execute(
        "alter table notify.slo_deltas"
        " add column if not exists id bigint generated always as identity"
    )
    db.execute(
        "insert into notify.slo_deltas (id, day, channel, priority, result, count)"
        " overriding system value values (7, '2026-01-01', 'log', 2, 'late', 1)"
    )
    [line] = all_faults(dsn)[:1]
    assert "slo_deltas_id_seq is behind notify.slo_deltas.id" in line
    db.execute(line.partition(": ")[2])
    assert all_faults(dsn) == []


@pytest.mark.parametrize("table", ["notifications", "attempts", "slo_deltas", "slo_daily"])
def test_a_column_that_nobody_of_us_fills_is_told(dsn, db, table):
    db.execute(f"alter table notify.{table} add column team text not null")
    assert missing(dsn) == []  # somebody's trigger may fill it
    assert f"alter table notify.{table} alter column team drop not null" in " ".join(
        all_faults(dsn)
    )
    db.execute(f"alter table notify.{table} alter column team set default 'none'")
    assert all_faults(dsn) == []


def words_of(db, query):
    return [row.name for row in db.execute(query)]


def test_whatever_the_tables_have_is_missed_when_it_is_gone(dsn, db):
    """The lists of faults() against the catalog: each thing is taken for itself."""
    ours = [f"'notify.{name}'::regclass" for name in tables() if not name.endswith("_default")]
    where = f"in ({', '.join(ours)})"
    takings = words_of(
        db,
        "select format('alter table %s drop constraint %I cascade', conrelid::regclass, conname)"
        f" as name from pg_constraint where conrelid {where} and contype in ('c', 'p')"
        " union all select format('drop index %s', indexrelid::regclass) from pg_index"
        f" where indrelid {where} and not indisprimary"
        " union all select format('alter table %s alter %I drop default', attrelid::regclass,"
        f" attname) from pg_attribute where attrelid {where} and atthasdef"
        " union all select format('drop trigger %I on %s', tgname, tgrelid::regclass)"
        f" from pg_trigger where tgrelid {where} and not tgisinternal"
        " union all select format('alter table %s drop column %I cascade', attrelid::regclass,"
        f" attname) from pg_attribute where attrelid {where} and attnum > 0 and not attisdropped"
        " and attname not in ('id', 'notification_id')",  # the keys of partitions
    )
    assert len(takings) > 60
    for taking in takings:
        with db.transaction(force_rollback=True):
            db.execute(taking)
            found = db.execute(
                "select fault from notify.faults(%s, %s, true)", [list(functions()), tables()]
            ).fetchall()
            assert found, taking


def test_a_trigger_that_fires_after_the_keys_are_taken_is_told_with_its_name(dsn, db):
    db.execute(
        "create function public.theirs() returns trigger language plpgsql as"
        " $$ begin return null; end $$"
    )
    for name in ('"~theirs"', "theirs"):
        db.execute(
            f"create trigger {name} before insert on notify.notifications"
            " for each row execute function public.theirs()"
        )
    [line] = all_faults(dsn)
    assert "trigger ~theirs of notify.notifications fires after" in line
    assert missing(dsn) == []
    db.execute('alter trigger "~theirs" on notify.notifications rename to aa_theirs')
    assert all_faults(dsn) == []


@pytest.mark.parametrize("table", ["idempotency_keys", "idempotency_keys_before"])
def test_a_trigger_that_may_keep_keys_from_being_taken_is_told_with_its_name(dsn, db, table):
    db.execute(
        "create function public.theirs() returns trigger language plpgsql as"
        " $$ begin return null; end $$"
    )
    for name, moment in [("theirs", "before insert"), ("audited", "after insert")]:
        db.execute(
            f"create trigger {name} {moment} on notify.{table}"
            " for each row execute function public.theirs()"
        )
    [line] = all_faults(dsn)
    assert f"trigger theirs of notify.{table} may keep idempotency keys" in line
    assert missing(dsn) == []
    db.execute(line.partition(": ")[2])
    assert all_faults(dsn) == []


def test_a_producers_name_that_no_role_has_any_more_is_named_before_somebody_gets_it(db):
    def named():
        query = "select fault, remedy from notify.faults(%s, %s, true)"
        rows = db.execute(query, [list(functions()), tables()]).fetchall()
        return [row for row in rows if "no role is called" in row.fault]

    with role(db) as user:
        db.execute("select notify.grant_producer(%s, 'shop')", [user])
        assert named() == []
    [found] = named()
    assert found.fault == f"no role is called {user}, which may send as shop"
    db.execute(found.remedy)
    assert named() == []


@pytest.mark.parametrize("table", ["pauses", "audit"])
def test_a_table_that_nothing_else_knows_is_not_to_be_dropped_for_a_column(db, table):
    """Of pauses what waits would be sent or wait for another; of audit all would be gone."""
    for column in words_of(
        db,
        "select attname as name from pg_attribute where attnum > 0"
        f" and attrelid = 'notify.{table}'::regclass and not attisdropped",
    ):
        with db.transaction(force_rollback=True):
            db.execute(SQL("alter table notify.{} drop column {} cascade").format(
                Identifier(table), Identifier(column)
            ))  # fmt: skip
            query = "select fault, remedy from notify.faults(%s, %s, true)"
            found = {r.fault: r.remedy for r in db.execute(query, [list(functions()), tables()])}
            remedy = found[f"column {column} of notify.{table} is missing"]
            assert "drop table" not in remedy
            assert "add it again" in remedy
