"""Enqueueing with idempotency keys as one statement: all rows, or none."""

import json
from threading import Thread

import psycopg
import pytest

from tests.sql.test_enqueue import minimal, stored
from tests.sql.test_take_key import age, is_waiting, isolate, keys, send
from tests.sql.test_turn_keys import make_time, turn
from tests.waiting import wait_for


def enqueue_keyed(db, *rows, wait="10 ms"):
    query = "select * from notify.enqueue_keyed(%s::jsonb, %s::interval) order by ord"
    return db.execute(query, [json.dumps(rows), wait]).fetchall()


def keyed(*names):
    return [minimal(idempotency_key=name) for name in names]


def sqlstate(db, *rows):
    with pytest.raises(psycopg.Error) as caught:
        enqueue_keyed(db, *rows)
    return caught.value.sqlstate


def test_all_are_inserted_in_their_order_and_take_their_keys(db):
    rows = [minimal(reference=str(n), idempotency_key=f"k{n}") for n in range(50)] + [minimal()]
    got = enqueue_keyed(db, *rows)
    assert [g.ord for g in got] == list(range(1, 52))
    assert not any(g.replayed for g in got)
    kept = db.execute("select id, reference, created_at from notify.notifications").fetchall()
    assert {(r.id, r.created_at) for r in kept} == {(g.id, g.created_at) for g in got}
    assert {r.id: r.reference for r in kept if r.reference} == {
        g.id: str(g.ord - 1) for g in got[:50]
    }
    assert len(keys(db)) == 50


@pytest.mark.parametrize("turned", [False, True])
def test_what_was_here_comes_back_as_it_was_answered_first(db, turned):
    first = enqueue_keyed(db, *keyed("a", "b"))
    if turned:
        make_time(db)
        assert turn(db)
    again = enqueue_keyed(db, *keyed("c", "b", "a"))
    assert [g.replayed for g in again] == [False, True, True]
    assert [(g.id, g.created_at) for g in again[1:]] == [
        (g.id, g.created_at) for g in (first[1], first[0])
    ]
    assert len(stored(db)) == 3


def test_a_request_of_an_insert_is_known_here_and_the_other_way_round(db):
    send(db, "a")
    row = minimal(payload={"n": 1.0}, idempotency_key="a")
    assert [g.replayed for g in enqueue_keyed(db, row)] == [True]
    enqueue_keyed(db, row | {"idempotency_key": "b"})
    assert send(db, "b") == 0


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ([minimal(idempotency_key="k", reference="x")], "ND003"),
        (keyed("a", "a"), "23505"),
        ([minimal(idempotency_key="a", channel="fax")], "23514"),
    ],
)
def test_what_is_not_new_and_not_the_same_spoils_all(db, rows, state):
    enqueue_keyed(db, *keyed("k"))
    assert sqlstate(db, *keyed("b"), *rows) == state
    assert keys(db) == ["k"]
    assert len(stored(db)) == 1


def test_a_key_older_than_the_window_spoils_all_because_enqueue_takes_it_over(db):
    enqueue_keyed(db, *keyed("k"))
    age(db, "25:00:00")
    assert sqlstate(db, *keyed("k")) == "ND003"


def test_a_key_in_flight_is_waited_for_no_longer_than_asked(db, other_db):
    with other_db.transaction():
        send(other_db)
        assert sqlstate(db, *keyed("k")) == "55P03"
    assert db.execute("show lock_timeout").fetchone().lock_timeout != "10ms"


def test_a_key_that_comes_free_in_time_is_taken(db, other_db):
    results = []
    waits = Thread(target=lambda: results.extend(enqueue_keyed(db, *keyed("k"), wait="1 minute")))
    with pytest.raises(ZeroDivisionError), other_db.transaction():
        send(other_db)
        waits.start()
        wait_for(lambda: is_waiting(other_db, db))
        raise ZeroDivisionError
    waits.join()
    assert [g.replayed for g in results] == [False]


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_at_higher_isolation_keys_are_taken_as_well(db, isolation):
    for expected in ([False, False], [True, True]):
        with db.transaction():
            isolate(db, isolation)
            assert [g.replayed for g in enqueue_keyed(db, *keyed("a", "b"))] == expected


def test_the_next_insert_of_the_session_takes_its_key_itself(db):
    with db.transaction():
        enqueue_keyed(db, *keyed("a"))
        assert [send(db, "b"), send(db, "b")] == [1, 0]


def test_two_batches_with_the_same_keys_in_opposite_orders_do_not_deadlock(db, other_db):
    names = [f"k{n}" for n in range(200)]
    results = []

    def enqueue(session, order):
        query = "select * from notify.enqueue_keyed(%s::jsonb, '1 minute')"
        for turn_of in range(5):
            rows = [minimal(idempotency_key=f"{turn_of}{name}") for name in order]
            try:
                session.execute(query, [json.dumps(rows)])
            except psycopg.errors.UniqueViolation:
                results.append("known")

    threads = [
        Thread(target=enqueue, args=(session, order))
        for session, order in ((db, names), (other_db, names[::-1]))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stored(db)) == 1000


def test_known_keys_are_looked_up_by_the_index_in_a_plan_made_when_there_were_few(db):
    """As EXISTS they would be a plan that reads the whole table, kept while the table grows."""
    for n in range(10):
        enqueue_keyed(db, *keyed(f"k{n}"))
    db.execute(
        "insert into notify.idempotency_keys select 'p', n::text, n, gen_random_uuid(), now()"
        " from generate_series(1, 100000) n"
    )
    read = "select seq_tup_read as n from pg_stat_user_tables where relname = 'idempotency_keys'"
    db.execute("select pg_stat_force_next_flush(); select pg_stat_clear_snapshot()")
    before = db.execute(read).fetchone().n
    enqueue_keyed(db, *keyed(*(f"new{n}" for n in range(100))))
    db.execute("select pg_stat_force_next_flush(); select pg_stat_clear_snapshot()")
    assert db.execute(read).fetchone().n == before
