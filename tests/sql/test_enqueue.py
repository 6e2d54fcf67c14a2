"""Enqueueing many requests as one statement."""

import json
from datetime import timedelta

import psycopg
import pytest

from tests.ledger import ago, row


@pytest.fixture
def db(shared_db):
    return shared_db


def enqueue(db, *rows):
    query = "select * from notify.enqueue(%s::jsonb, '20 s')"
    return db.execute(query, [json.dumps(rows, default=str)]).fetchall()


def minimal(**fields):
    return {"channel": "log", "recipient": "r", "payload": {}} | fields


def test_ids_come_back_in_the_order_of_the_rows(db):
    got = enqueue(db, *(minimal(reference=f"n{n}") for n in range(200)))
    assert [g.ord for g in got] == list(range(1, 201))
    assert [row(db, g.id).reference for g in got] == [f"n{n}" for n in range(200)]
    assert [g.created_at for g in got] == [row(db, g.id).created_at for g in got]


def test_what_is_left_out_gets_its_default(db):
    [got] = enqueue(db, {"channel": "log", "recipient": "r"})
    kept = row(db, got.id)
    assert (kept.payload, kept.priority, kept.status, kept.attempt, kept.max_attempts) == (
        None,
        2,
        "queued",
        0,
        None,
    )
    assert kept.due_at == kept.created_at


def test_every_field_arrives(db):
    send_at = ago(db, "-1 hour")
    expires_at = send_at + timedelta(hours=1)
    [got] = enqueue(
        db,
        minimal(
            payload=[1, "ü", None],
            priority=0,
            send_at=send_at,
            expires_at=expires_at,
            max_attempts=7,
            reference="order 1",
        ),
    )
    kept = row(db, got.id)
    assert (
        kept.payload,
        kept.priority,
        kept.send_at,
        kept.due_at,
        kept.expires_at,
        kept.max_attempts,
        kept.reference,
    ) == ([1, "ü", None], 0, send_at, send_at, expires_at, 7, "order 1")


def test_one_bad_row_spoils_only_itself_and_names_its_rule(db):
    good, bad, last = enqueue(db, minimal(), minimal(channel="fax"), minimal())
    assert [good.refusal, last.refusal] == [None, None]
    assert (bad.ord, bad.id, bad.created_at) == (2, None, None)
    assert bad.refusal == {
        "code": "23514",
        "constraint": "channel_is_known",
        "column": "channel",
        "message": 'notifications: channel is refused by constraint "channel_is_known"',
        "hint": "Use webhook, email or log.",
    }
    assert stored(db) == {good.id, last.id}


@pytest.mark.parametrize("bad", [{0}, {499}, {7, 8, 300}, set(range(0, 500, 2)), set(range(500))])
def test_any_of_many_may_be_bad(db, bad):
    rows = [minimal(reference=f"n{n}", max_attempts=0 if n in bad else 1) for n in range(500)]
    got = enqueue(db, *rows)
    assert [g.ord for g in got] == list(range(1, 501))
    assert {g.ord - 1 for g in got if g.refusal} == bad
    good = [g for g in got if not g.refusal]
    assert stored(db) == {g.id for g in good}
    assert all(row(db, g.id).reference == f"n{g.ord - 1}" for g in good[::50])


@pytest.mark.parametrize(
    "fields",
    [{"priority": 99999}, {"priority": "x"}, {"send_at": "infinity"}, {"send_at": "soon"},
     {"expires_at": "2030-01-01T00:00:00+23:00"}, {"max_attempts": 1e10}, {"recipient": None}],
)  # fmt: skip
def test_what_is_no_column_of_ours_spoils_only_itself(db, fields):
    good, bad, last = enqueue(db, minimal(), minimal(**fields), minimal())
    assert bad.refusal["message"]
    assert stored(db) == {good.id, last.id}


def test_what_is_not_tried_in_time_is_said_and_not_inserted(db):
    query = "select * from notify.enqueue(%s::jsonb, '-1 s')"
    rows = [minimal(), minimal(channel="fax"), minimal()]
    got = db.execute(query, [json.dumps(rows)]).fetchall()
    assert [(g.ord, g.refusal["code"]) for g in got] == [(1, "ND002"), (2, "ND002"), (3, "ND002")]
    assert stored(db) == set()


def stored(db):
    return {r.id for r in db.execute("select id from notify.notifications")}


def test_no_rows_are_no_rows(db):
    assert enqueue(db) == []


def test_more_than_a_thousand_rows_are_refused_and_not_cut(db):
    assert len(enqueue(db, *[minimal()] * 1000)) == 1000
    with pytest.raises(psycopg.Error) as caught:
        enqueue(db, *[minimal()] * 1001)
    assert caught.value.diag.sqlstate == "ND001"


def test_what_row_level_security_hides_is_refused_alone(db):
    db.execute("alter table notify.notifications enable row level security")
    db.execute(
        "create policy own on notify.notifications using (reference = 'own') with check (true)"
    )
    db.execute("create role stranger")
    try:
        db.execute("grant usage on schema notify to stranger")
        db.execute("grant insert, select on notify.notifications to stranger")
        db.execute("set role stranger")
        first, hidden, last = enqueue(db, *(minimal(reference=r) for r in ("own", "x", "own")))
    finally:
        db.execute("reset role")
        db.execute("drop policy own on notify.notifications")
        db.execute("alter table notify.notifications disable row level security")
        db.execute("drop owned by stranger; drop role stranger")
    assert hidden.refusal["code"] == "42501"
    assert stored(db) == {first.id, last.id}


def test_names_and_operators_are_not_looked_up_in_the_callers_path(db):
    db.execute("create schema shop")
    try:
        db.execute(
            "create function shop.gt(integer, integer) returns boolean language sql"
            " as 'select true'; create operator shop.> (function = shop.gt, leftarg = integer,"
            " rightarg = integer); set search_path = shop, pg_catalog, notify"
        )
        [got] = enqueue(db, minimal())
    finally:
        db.execute("reset search_path; drop schema shop cascade")
    assert stored(db) == {got.id}


def test_old_code_runs_beside_the_new_function(db):
    old = "create function notify.enqueue(p_rows jsonb) returns integer language sql as 'select 1'"
    db.execute(old)
    try:
        assert db.execute("select notify.enqueue('[]'::jsonb) as n").fetchone().n == 1
        assert len(enqueue(db, minimal())) == 1
    finally:
        db.execute("drop function notify.enqueue(jsonb)")


def test_strangers_get_few_rows_at_a_time_at_first(db):
    """Theirs may be slow: a call that statement_timeout cancels is nobody's."""
    db.execute("""
        create table public.sizes (n bigint);
        create function public.theirs() returns trigger language plpgsql as $$ begin
          insert into public.sizes select count(*) from written;
          return null;
        end $$;
        create trigger zz after insert on notify.notifications referencing new table as written
        for each statement execute function public.theirs();
    """)
    try:
        assert {g.refusal for g in enqueue(db, *(minimal() for _ in range(300)))} == {None}
        sizes = [r.n for r in db.execute("select n from public.sizes")]
        assert (sizes[0], max(sizes) <= 64, sum(sizes)) == (4, True, 300)
    finally:
        db.execute("drop function public.theirs cascade; drop table public.sizes")
