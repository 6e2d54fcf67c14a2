"""The doorbell's trigger: who rings, and when it stays silent."""

from contextlib import closing

import psycopg
import pytest

from tests.ledger import enqueue


@pytest.fixture
def listener(dsn):
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        connection.execute("listen notify_wake")
        yield connection


def bells(listener, timeout_s=0.0):
    return [n.payload for n in listener.notifies(timeout=timeout_s, stop_after=1)]


def arm(listener):
    return listener.execute("select notify.arm(1000)").fetchone()[0]


def test_an_insert_rings_an_armed_doorbell_once_per_statement_and_says_nothing(db, listener):
    assert arm(listener)
    enqueue(db, 50)
    assert bells(listener, 60) == [""]


def test_an_insert_is_silent_while_the_dispatcher_is_awake(db, listener):
    enqueue(db)
    assert bells(listener) == []


def test_a_rolled_back_insert_does_not_ring(db, listener):
    assert arm(listener)
    with pytest.raises(ZeroDivisionError), db.transaction():
        enqueue(db)
        raise ZeroDivisionError
    assert bells(listener) == []


def test_a_bulk_load_can_be_silenced_for_its_own_transaction(db, listener):
    assert arm(listener)
    with db.transaction():
        db.execute("set local notify.wake = off")
        enqueue(db, 10)
    assert bells(listener) == []
    enqueue(db)
    assert bells(listener, 60) == [""]


def test_copy_rings_too(db, listener):
    assert arm(listener)
    columns = "channel, recipient, payload"
    with db.cursor().copy(f"copy notify.notifications ({columns}) from stdin") as copy:
        copy.write_row(("log", "r", "{}"))
    assert bells(listener, 60) == [""]


def test_claims_and_settles_do_not_ring(db, listener):
    enqueue(db)
    assert arm(listener)
    db.execute("update notify.notifications set reference = 'x'")
    assert bells(listener) == []


def test_several_listeners_all_hear_it(db, dsn, listener):
    with psycopg.connect(dsn, autocommit=True) as second:
        second.execute("listen notify_wake")
        assert arm(listener)
        enqueue(db)
        assert bells(listener, 60) == [""]
        assert bells(second, 60) == [""]


@pytest.mark.parametrize("name", ["pg_notify(text, text)", "pg_notification_queue_usage()"])
def test_where_nobody_may_notify_a_producer_sends_in_silence(db, shop, listener, name):
    assert arm(listener)
    db.execute(f"revoke execute on function {name} from public")
    shop.execute("insert into notifications (channel, recipient, payload) values ('log','r','{}')")
    assert bells(listener) == []
    assert db.execute("select count(*) from notify.notifications").fetchone()[0] == 1
