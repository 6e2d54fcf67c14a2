"""Whoever sets a search_path, or leaves objects about, changes nothing of what our SQL means."""

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.ledger import claim, due, keep_partitions, row, settle

FILES = sorted((Path(__file__).resolve().parents[2] / "sql").glob("*.sql"))
PATHS = (
    "shop, pg_catalog, notify",
    "shop, notify",
    "pg_temp, shop, pg_catalog, notify",
    "notify, shop",
    "shop",
    "''",
)
# What an expression of ours might be caught by: same names and better matches, all of them lies.
TRAP = """
create schema shop;
grant usage, create on schema shop to public;
create domain shop.word as text;
create type shop.timestamptz as (x int);
create type shop.uuid as enum ('x');
create type shop.jsonb as enum ('x');
create type shop.text as enum ('x');
create table shop.notifications (id int, status text);
create table shop.attempts (id int);
create table shop.pg_locks (id int);
create function shop.no(timestamptz, timestamptz) returns boolean language sql as 'select false';
create function shop.no(text, text) returns boolean language sql as 'select false';
create function shop.no(integer, integer) returns boolean language sql as 'select false';
create function shop.no(smallint, integer) returns boolean language sql as 'select false';
create function shop.no(uuid, uuid) returns boolean language sql as 'select false';
create operator shop.> (leftarg = timestamptz, rightarg = timestamptz, function = shop.no);
create operator shop.< (leftarg = timestamptz, rightarg = timestamptz, function = shop.no);
create operator shop.<= (leftarg = timestamptz, rightarg = timestamptz, function = shop.no);
create operator shop.>= (leftarg = timestamptz, rightarg = timestamptz, function = shop.no);
create operator shop.> (leftarg = integer, rightarg = integer, function = shop.no);
create operator shop.< (leftarg = integer, rightarg = integer, function = shop.no);
create operator shop.<> (leftarg = integer, rightarg = integer, function = shop.no);
create operator shop.= (leftarg = text, rightarg = text, function = shop.no);
create operator shop.<> (leftarg = text, rightarg = text, function = shop.no);
create operator shop.~ (leftarg = text, rightarg = text, function = shop.no);
create operator shop.!~ (leftarg = text, rightarg = text, function = shop.no);
create operator shop.= (leftarg = uuid, rightarg = uuid, function = shop.no);
create operator shop.>= (leftarg = smallint, rightarg = integer, function = shop.no);
create function shop.no(bigint, bigint) returns boolean language sql as 'select false';
create function shop.no(name, name) returns boolean language sql as 'select true';
create operator shop.= (leftarg = bigint, rightarg = bigint, function = shop.no);
create operator shop.<> (leftarg = name, rightarg = name, function = shop.no);
create function shop.has_table_privilege(text, oid, text) returns boolean
  language sql as 'select true';
create function shop.current_setting(text) returns text language sql as $$ select 'none' $$;
create function shop.clock_timestamp() returns timestamptz language sql
  as $$ select 'infinity'::timestamptz $$;
create function shop.now() returns timestamptz language sql
  as $$ select 'infinity'::timestamptz $$;
create function shop.length(text) returns integer language sql as 'select 1';
create function shop.octet_length(text) returns integer language sql as 'select 1';
create function shop.length(varchar) returns integer language sql as 'select 1';
create function shop.lower(text) returns text language sql as $$ select 'log' $$;
create function shop.uuid_send(uuid) returns bytea language sql as $$ select '\\x00'::bytea $$;
create function shop.uuidv7() returns uuid language sql
  as $$ select repeat('0', 32)::uuid $$;
create function shop.gen_random_uuid() returns uuid language sql
  as $$ select repeat('0', 32)::uuid $$;
create function shop.jsonb_typeof(jsonb) returns text language sql as $$ select 'string' $$;
create function shop.pg_notify(text, text) returns void language sql as 'select null';
create function shop.new_id() returns uuid language sql
  as $$ select repeat('0', 32)::uuid $$;
create function shop.refuse(text, text, text) returns void language sql as 'select null';
create function shop.pg_try_advisory_xact_lock_shared(integer, integer) returns boolean
  language sql as 'select true';
"""
IN_TEMP = """
create temp table notifications (id int);
create temp table attempts (id int);
create temp table notifications_default (id int);
create type pg_temp.timestamptz as (x int);
create type pg_temp.text as (x int);
create type pg_temp.uuid as enum ('x');
create function pg_temp.length(text) returns integer language sql as 'select 1';
"""
BROKEN: dict[str, dict[str, Any]] = {
    "expires_at_is_within_10_years": {"expires_at": "infinity"},
    "send_at_is_within_a_year": {"send_at": "infinity"},
    "recipient_is_1_to_2048_printable_characters": {"recipient": "r" * 3000},
    "channel_is_known": {"channel": "fax"},
    "webhook_recipient_is_a_url": {"channel": "webhook", "recipient": "nowhere"},
    "email_recipient_is_one_mailbox": {"channel": "email", "recipient": "nobody"},
    "priority_is_0_to_3": {"priority": 9},
    "max_attempts_is_1_to_100": {"max_attempts": 1_000_000},
    "new_notifications_are_queued": {"last_error": "x"},
    "idempotency_key_is_1_to_255_printable_characters": {"idempotency_key": "k" * 300},
    "id_is_a_uuid_v7": {"id": "00000000-0000-0000-0000-000000000000"},
    "payload_is_at_most_256_kib": {"payload": '"' + "x" * 300_000 + '"'},
}


@pytest.fixture
def producer(db, dsn):
    """A session of a role that may insert, beside a schema full of traps."""
    db.execute(TRAP)
    name = f"shop_{db.info.backend_pid}"
    role = Identifier(name)
    db.execute(SQL("create role {} login password 'p'").format(role))
    db.execute(SQL("grant usage on schema notify to {}").format(role))
    db.execute(SQL("grant insert on notify.notifications to {}").format(role))
    with psycopg.connect(dsn, user=name, password="p", autocommit=True) as session:
        yield session
    db.execute(SQL("drop owned by {}").format(role))
    db.execute(SQL("drop role {}").format(role))


def insert(session, **columns):
    given = {"channel": "log", "recipient": "r", "payload": "{}"} | columns
    names = SQL(", ").join(map(Identifier, given))
    values = SQL(", ").join(
        SQL("{}::pg_catalog.{}").format(value, Identifier(TYPES.get(name, "text")))
        for name, value in given.items()
    )
    session.execute(SQL("insert into notify.notifications ({}) values ({})").format(names, values))


TYPES = {
    "payload": "jsonb",
    "expires_at": "timestamptz",
    "send_at": "timestamptz",
    "priority": "int2",
    "max_attempts": "int4",
    "id": "uuid",
}


@pytest.mark.parametrize("path", PATHS)
def test_every_rule_holds_under_any_search_path(producer, path):
    producer.execute(IN_TEMP)
    producer.execute(f"set search_path = {path}")
    for strings in ("on", "off"):
        producer.execute(f"set standard_conforming_strings = {strings}")
        for rule, columns in BROKEN.items():
            with pytest.raises(psycopg.errors.CheckViolation) as caught:
                insert(producer, **columns)
            assert caught.value.diag.constraint_name == rule


@pytest.mark.parametrize("path", PATHS)
def test_a_sound_row_is_as_sound_as_any(db, producer, path):
    db.execute("listen notify_wake")
    db.execute("select notify.arm(1000)")
    producer.execute(IN_TEMP)
    producer.execute(f"set search_path = {path}")
    insert(producer)
    insert(producer, channel="webhook", recipient="https://a.example/")
    insert(producer, channel="email", recipient="a@b.example", payload='{"subject":"s","text":"t"}')
    got = claim(db)
    assert len(got) == 3
    assert all(g.id.version == 7 for g in got)
    assert [s.status for s in settle(db, got)] == ["sent"] * 3
    assert {n.payload for n in db.notifies(timeout=5, stop_after=1)} == {""}


@pytest.mark.parametrize("path", PATHS)
def test_a_key_is_the_producers_own_under_any_search_path(db, producer, path):
    producer.execute(IN_TEMP)
    producer.execute(f"set search_path = {path}")
    for _ in range(2):
        insert(producer, producer="bank", idempotency_key="k")
    [row] = db.execute("select producer from notify.notifications").fetchall()
    assert row.producer == producer.info.user
    for columns in ({"recipient": "another"}, {"recipient": "another", "priority": 1}):
        with pytest.raises(psycopg.Error) as caught:
            insert(producer, idempotency_key="k", **columns)
        assert caught.value.sqlstate == "ND004"


@pytest.mark.parametrize("path", ["shop, pg_catalog, notify", "pg_temp, shop, pg_catalog"])
def test_the_services_own_functions_mean_the_same_under_any_search_path(db, path):
    db.execute(TRAP)
    ids = [db.execute("select notify.new_id() as id").fetchone().id]
    db.execute(
        "insert into notify.notifications (id, channel, recipient, payload)"
        " values (%s, 'log', 'r', '{}')",
        ids,
    )
    db.execute(IN_TEMP)
    db.execute(f"set search_path = {path}")
    assert due(db)[2].ids == ids
    assert db.execute("select queued from notify.gauges()").fetchone().queued == 1
    assert db.execute("select * from notify.vitals()").fetchone().days_ahead >= 6
    assert (
        db.execute("select finds_table from notify.checkup('notify.notifications')")
        .fetchone()
        .finds_table
    )
    assert keep_partitions(db) == []
    db.execute("select notify.next_lease_in(), notify.fold_slo(10), notify.reconcile(10)")
    answer = db.execute("select status from notify.cancel(%s::pg_catalog.uuid[])", [ids])
    assert answer.fetchone().status == "cancelled"
    db.execute("reset search_path")
    assert row(db, ids[0]).status == "cancelled"


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_every_function_is_bound_or_pins_its_path(path):
    text = path.read_text(encoding="utf-8")
    header = re.sub(r"^--.*$", "", text, flags=re.MULTILINE)
    if "set search_path = pg_catalog, pg_temp" in header:
        return
    if path.stem in ("accept", "take_key"):  # row triggers, for which that is too dear
        return
    if path.stem == "wait":  # with it a procedure cannot commit; test_wait.py tries it with traps
        return
    assert "$$" not in header
    assert re.search(r"\n *(return\b|begin atomic)", header)


def test_every_migration_pins_its_path():
    for path in (FILES[0].parents[1] / "migrations").glob("[0-9]*.*"):
        if not path.name.endswith(".rollback.sql"):
            assert "set local search_path = pg_catalog, pg_temp" in path.read_text(), path
