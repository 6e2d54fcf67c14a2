"""Arming the doorbell: true only when no silent producer is in flight."""

import threading

import psycopg

from tests.ledger import enqueue
from tests.waiting import wait_for, wait_until_blocked


def arm(db, wait_ms=5):
    return db.execute("select notify.arm(%s) as armed", [wait_ms]).fetchone().armed


def test_nobody_in_flight_lets_it_arm_at_once(db):
    assert arm(db)


def test_a_silent_producer_in_flight_keeps_it_from_arming(db, other_db):
    with other_db.transaction():
        enqueue(other_db)
        assert not arm(db)
    assert arm(db)


def test_a_failed_arm_leaves_no_lock_and_no_timeout_behind(db, other_db):
    with other_db.transaction():
        enqueue(other_db)
        assert not arm(db)
    held = "select count(*) as n from pg_locks where locktype = 'advisory' and pid = %s"
    assert db.execute(held, [db.info.backend_pid]).fetchone().n == 0
    assert db.execute("show lock_timeout").fetchone().lock_timeout == "0"


def test_a_producer_that_ends_while_it_waits_lets_it_arm(db, other_db):
    armed = []
    with other_db.transaction():
        enqueue(other_db)
        waiter = threading.Thread(target=lambda: armed.append(arm(db, wait_ms=60_000)))
        waiter.start()
        wait_until_blocked(other_db, db.info.backend_pid)
    waiter.join()
    assert armed == [True]


def test_producers_that_come_while_it_waits_ring_and_do_not_wait(db, other_db, dsn):
    with psycopg.connect(dsn, autocommit=True) as late, other_db.transaction():
        late.execute("set lock_timeout = '60s'")
        enqueue(other_db)
        waiter = threading.Thread(target=arm, args=(db, 60_000))
        waiter.start()
        wait_until_blocked(other_db, db.info.backend_pid)
        late.execute("listen notify_wake")
        late.execute(
            "insert into notifications (channel, recipient, payload) values ('log', 'r', '{}')"
        )
        assert [n.payload for n in late.notifies(timeout=60, stop_after=1)] == [""]
    waiter.join()


def test_it_is_disarmed_with_its_session(db, dsn):
    with psycopg.connect(dsn, autocommit=True) as session:
        session.execute("select notify.arm(5)")
        pid = session.info.backend_pid
    held = "select 1 from pg_locks where locktype = 'advisory' and pid = %s"
    wait_for(lambda: not db.execute(held, [pid]).fetchone())
    assert arm(db)


def test_a_path_full_of_other_names_changes_no_answer(db, other_db):
    db.execute(
        "create schema shop;"
        "create function shop.pg_try_advisory_lock(int, int) returns boolean"
        " language sql as 'select true'"
    )
    with other_db.transaction():
        enqueue(other_db)
        db.execute("set search_path = shop, pg_catalog")
        assert not arm(db)
