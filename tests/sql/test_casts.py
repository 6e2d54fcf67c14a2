"""Implicit casts to text, as databases that came from elsewhere have: nothing is ambiguous.

Where `X -> text` is implicit, `'...' || x` has no best operator, and fails when it is reached.
"""

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from service.ledger.migrate import migrate
from service.ledger.schema import functions, tables
from tests.conftest import settle_in, url_of
from tests.explaining import explain
from tests.ledger import (
    ago,
    cancel_matching,
    claim,
    due,
    enqueue,
    keep_partitions,
    pause,
    put,
    reap,
    redrive,
    resume,
    settle,
)
from tests.sql.long import connected, old_id

FROM = (
    "numeric", "int2", "int4", "int8", "oid", "float4", "float8", "uuid", "json", "jsonb",
    "bytea", "date", "time", "timestamp", "timestamptz", "interval", "xid", "xid8",
)  # fmt: skip
# These casts are there, and not implicit.
SOFTENED = """
update pg_cast set castcontext = 'i'
where castsource in ('bool'::regtype, 'inet'::regtype) and casttarget = 'text'::regtype
"""


@pytest.fixture(scope="module")
def cast_url(servers: Any, database_server: Any) -> Iterator[str]:
    """Give the URL of a database with those casts, which was migrated from empty."""
    name = f"notify_casts_{os.getpid()}"
    with psycopg.connect(servers.database_url, autocommit=True) as admin:
        admin.execute(SQL("create database {}").format(Identifier(name)))
        try:
            url = url_of(database_server, name)
            with connected(url) as db:
                for kind in FROM:
                    db.execute(f"create cast ({kind} as text) with inout as implicit")
                db.execute(SOFTENED)
            migrate(url)
            settle_in(url)
            yield url
        finally:
            admin.execute(SQL("drop database {} with (force)").format(Identifier(name)))


@pytest.fixture
def db(cast_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Connect to it, emptied of rows."""
    with connected(cast_url) as connection:
        connection.execute("delete from notify.notifications")
        connection.execute("delete from notify.attempts")
        yield connection


@pytest.mark.parametrize("status", ["queued", "sending", "sent", "failed", "expired", "cancelled"])
def test_each_status_is_explained(db, status):
    assert explain(db, put(db, status))
    assert explain(db, put(db, status, last_error_code="refused"))


def test_what_is_later_or_in_a_transaction_is_explained(db):
    later = {"due_at": ago(db, "-2 hours"), "expires_at": ago(db, "-9 hours")}
    assert explain(db, put(db, "queued", **later))
    sent = db.execute("select notify.send('log', 'r', '{}') as id").fetchone().id
    assert explain(db, sent)["enqueued"]


def test_a_locked_row_is_explained(db, cast_url):
    [id] = enqueue(db)
    with connected(cast_url) as other, other.transaction():
        other.execute("select from notify.notifications where id = %s for update", [id])
        assert "process" in explain(db, id)["locked"].sentence


def test_a_pause_is_explained_and_ends(db):
    [id] = enqueue(db)
    paused = pause(db, "channel", "log")
    assert explain(db, id)["paused"].command == f"notify resume {paused}"
    assert resume(db, paused)


def test_one_that_failed_and_an_attempt_under_way_are_explained(db):
    [id] = enqueue(db)
    taken = claim(db, [id])
    assert explain(db, id)
    settle(db, taken, "temporary")
    assert explain(db, id)


def test_days_are_made_and_dropped(db):
    put(db, "sent", id=old_id(db, 5))
    made = keep_partitions(db, 7, "9 days")
    assert {action for action, _ in made} == {"made"}
    assert [action for action, _ in keep_partitions(db, 7, "2 days")] == ["dropped"]


def test_rows_are_taken_settled_reaped_and_redriven(db):
    settle(db, claim(db, enqueue(db)), "temporary")
    put(db, "failed")
    put(db, "sending", lease_until=ago(db, "1 hour"))
    reap(db)
    due(db)
    redrive(db)
    cancel_matching(db)


@pytest.mark.parametrize(
    "address", ["https://a.example:8443/x", "http://[::ffff:1.2.3.4]/", "a@b.c"]
)
def test_a_destination_is_named(db, address):
    channel = "email" if "@" in address else "webhook"
    query = "select notify.destination_of(%s, %s) as name"
    assert db.execute(query, [channel, address]).fetchone().name


def test_a_table_is_watched(db):
    db.execute("create table public.o (id int primary key, s text, u uuid)")
    db.execute("select notify.on_change('public.o', '{insert,update,delete}', 'log', 'r',"
               " reference => 'id', columns => '{s,u}')")  # fmt: skip
    db.execute("insert into public.o values (1, 'a', gen_random_uuid())")
    db.execute("update public.o set s = s || 'x'")
    db.execute("delete from public.o")
    told = db.execute("select count(*) as n from notify.notifications").fetchone()
    db.execute("drop table public.o")
    assert told.n == 3


@pytest.mark.parametrize("seconds", [1, 200, 20_000, 200_000])
def test_a_time_is_rough(db, seconds):
    assert db.execute("select notify.rough(%s) as text", [seconds]).fetchone().text


@pytest.mark.parametrize(
    "call",
    [
        "maintenance(9, '2 days', 9)", "checkup(null)", "rights_amiss()", "watches_amiss()",
        "spans()", "lanes()", "now()", "flow(5)", "tend_days(5)", "vitals()",
        "sweep_default('30 days', 10)", "empty_payloads('1 day', 10)", "fold_slo(100)",
        "turn_keys()", "next_lease_in()", "home(null)", "living_workers(9, 99)", "born_ahead()",
        "has_strangers()", "audit_page(null, null, null, null, 5, 50)", "export('{}')",
        "find_person('{a@b.c}', null, null, 5, 50)", "name_producers()", "outcomes()",
        "odd_member('[{\"x\": 1}]')", "ask_probe('webhook', 'https://a.example')",
    ],
)  # fmt: skip
def test_a_look_at_the_ledger_ends(db, call):
    db.execute(f"select * from notify.{call}")


def test_the_doctor_finds_no_fault(db):
    query = "select fault from notify.faults(%s, %s, true) where stops"
    assert db.execute(query, [list(functions()), tables()]).fetchall() == []
