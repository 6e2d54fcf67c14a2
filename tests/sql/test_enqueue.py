"""Enqueueing many requests as one statement."""

import json
from contextlib import contextmanager
from datetime import timedelta
from threading import Thread

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from tests.ledger import ago, row
from tests.sql.test_send import CHANGES, COPIES, DROPS_BAD
from tests.waiting import wait_for


@pytest.fixture
def db(shared_db):
    return shared_db


@pytest.fixture
def other_db(shared_url):
    with psycopg.connect(shared_url, autocommit=True, row_factory=namedtuple_row) as other:
        yield other


def enqueue(db, *rows):
    query = "select * from notify.enqueue(%s::jsonb, '20 s', '10 ms') order by ord"
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
    query = "select * from notify.enqueue(%s::jsonb, '-1 s', null)"
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
        db.execute("grant execute on all functions in schema notify to stranger")
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


def keyed(*names):
    return [minimal(idempotency_key=name) for name in names]


def test_what_was_here_comes_back_as_it_was_answered_first(db):
    a, b = enqueue(db, *keyed("a", "b"))
    again = enqueue(db, *keyed("c", "b"), minimal(), *keyed("a", "a", "d", "d"))
    assert [g.ord for g in again] == list(range(1, 8))
    assert [g.replayed for g in again] == [False, True, False, True, True, False, True]
    assert [(g.id, g.created_at) for g in (again[1], again[3], again[4])] == [
        (g.id, g.created_at) for g in (b, a, a)
    ]
    assert again[6].id == again[5].id
    assert len(stored(db)) == 5


@pytest.mark.parametrize("n", [1, 3, 40])
def test_a_key_of_another_request_is_refused_alone(db, n):
    enqueue(db, *keyed("k"))
    *rest, bad = enqueue(db, *[minimal()] * (n - 1), minimal(idempotency_key="k", reference="x"))
    assert [g.refusal for g in rest] == [None] * (n - 1)
    assert (bad.refusal["code"], bad.refusal["constraint"]) == ("ND004", "idempotency_key_reused")
    assert bad.refusal["hint"]


def test_keys_in_flight_are_refused_alone_and_all_others_go_on(db, other_db):
    with other_db.transaction():
        enqueue(other_db, *keyed("b", "d"))
        got = enqueue(db, *keyed("a", "b", "c", "d"), minimal())
        assert [g.refusal and g.refusal["code"] for g in got] == [
            None, "ND006", None, "ND006", None
        ]  # fmt: skip
    assert len(stored(db)) == 5
    assert [g.replayed for g in enqueue(db, *keyed("b", "d"))] == [True, True]


def test_a_lock_that_is_not_about_a_key_is_waited_for_as_the_session_says(db, other_db):
    with other_db.transaction():
        other_db.execute("lock table notify.notifications in access exclusive mode")
        with db.transaction():
            db.execute("set local lock_timeout = '20ms'")
            [got] = enqueue(db, minimal())
        assert got.refusal["code"] == "55P03"


@contextmanager
def a_lock_for(seconds, holder, watcher):
    """Hold all notifications for a while, by a session of its own."""
    lock = "lock table notify.notifications in access exclusive mode"
    thread = Thread(
        target=holder.execute, args=[f"begin; {lock}; select pg_sleep({seconds}); commit"]
    )
    thread.start()
    held = (
        "select 1 from pg_locks where relation = 'notify.notifications'::regclass and granted"
        " and mode = 'AccessExclusiveLock'"
    )
    wait_for(lambda: watcher.execute(held).fetchone())
    yield
    thread.join()


def test_a_table_that_is_locked_for_a_moment_is_no_key_in_flight(db, other_db):
    with a_lock_for(0.3, other_db, db):
        got = enqueue(db, *keyed("a", "b"))
    assert [g.refusal for g in got] == [None] * 2


def test_a_table_that_is_locked_for_long_is_no_key_in_flight_either(db, other_db):
    query = "select refusal from notify.enqueue(%s::jsonb, '100 ms', '1 ms')"
    with other_db.transaction():
        other_db.execute("lock table notify.notifications in access exclusive mode")
        [got] = db.execute(query, [json.dumps(keyed("a"))]).fetchall()
    assert got.refusal["code"] == "55P03"


def test_keys_are_taken_whatever_the_role_has_set(db):
    db.execute("set notify.keys = 'taken'")
    [first] = enqueue(db, *keyed("a"))
    [again] = enqueue(db, *keyed("a"))
    assert (again.id, again.replayed) == (first.id, True)


def test_a_refused_row_uses_up_no_key(db):
    bad, good = enqueue(db, minimal(idempotency_key="a", channel="fax"), *keyed("b"))
    assert (bad.refusal["column"], good.refusal) == ("channel", None)
    assert [g.replayed for g in enqueue(db, *keyed("a"))] == [False]


def test_a_key_older_than_the_window_is_taken_over(db):
    enqueue(db, *keyed("a"))
    db.execute("update notify.idempotency_keys set created_at = created_at - interval '25 hours'")
    assert [g.replayed for g in enqueue(db, *keyed("a"))] == [False]
    assert len(stored(db)) == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_repetition_is_known_although_somebodys_trigger_sends_too(db, when):
    with db.transaction(force_rollback=True):
        db.execute(COPIES.format(when))
        [first] = enqueue(db, minimal(idempotency_key="a"))
        got = enqueue(db, *(minimal(idempotency_key=key) for key in "abcd"))
        assert (got[0].id, got[0].replayed) == (first.id, True)
        assert [g.replayed for g in got[1:]] == [False] * 3


@pytest.mark.parametrize("rows", [1, 20])
def test_a_row_that_somebodys_trigger_drops_is_no_replay(db, rows):
    db.execute("""
        create function public.theirs() returns trigger language plpgsql as $$ begin
          return null;
        end $$;
        create trigger zz before insert on notify.notifications
        for each row execute function public.theirs();
    """)
    try:
        assert enqueue(db, *keyed(*(f"k{n}" for n in range(rows)))) == []
    finally:
        db.execute("drop function public.theirs cascade")


@pytest.mark.parametrize("others", [0, 20])
def test_a_row_that_somebody_drops_is_no_replay_of_the_request_that_took_its_key(db, others):
    [first] = enqueue(db, *keyed("k"))
    rows = [minimal() for _ in range(others)]
    db.execute(DROPS_BAD)
    try:
        got = enqueue(db, minimal(recipient="bad", idempotency_key="k"), *rows, *keyed("k"))
    finally:
        db.execute("drop function public.theirs cascade")
    assert [g.ord for g in got] == list(range(2, others + 3))
    assert [g.id for g in got if g.replayed] == [first.id]


@pytest.mark.parametrize("others", [0, 20])
def test_a_replay_of_what_somebody_changes_is_one(db, others):
    rows = [minimal() for _ in range(others)]
    db.execute(CHANGES)
    try:
        [first] = enqueue(db, *keyed("k"))
        got = enqueue(db, *keyed("k", "k"), *rows)
    finally:
        db.execute("drop function public.theirs cascade")
    assert [g.id for g in got if g.replayed] == [first.id] * 2
    assert len(got) == others + 2


def test_a_row_is_its_callers_or_whose_the_api_says(db):
    got = enqueue(db, minimal(), minimal(producer="shop", is_test=True))
    rows = [row(db, g.id) for g in got]
    assert [(r.producer, r.is_test) for r in rows] == [(db.info.user, False), ("shop", True)]


def test_old_code_runs_beside_the_new_function(db):
    query = "select ord, id, created_at, refusal from notify.enqueue(%s::jsonb, '20 s')"
    [got] = db.execute(query, [json.dumps([minimal()])]).fetchall()
    assert (got.ord, got.refusal, stored(db)) == (1, None, {got.id})


def test_older_code_runs_beside_the_new_function(db):
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
