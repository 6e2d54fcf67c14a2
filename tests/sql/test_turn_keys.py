"""The turn of the two tables of keys: nothing is deleted, and a key stays unique over it."""

from threading import Thread

import psycopg
import pytest

from tests.sql.test_take_key import age, count, is_waiting, isolate, keys, send
from tests.waiting import wait_for


def turn(db):
    return db.execute("select notify.turn_keys() as turned").fetchone().turned


def make_time(db, interval="24:00:01"):
    """Let a window pass since the last turn."""
    db.execute(
        "update notify.settings set keys_turned_at = keys_turned_at - %s::interval", [interval]
    )


def before(db):
    return sorted(r.key for r in db.execute("select key from notify.idempotency_keys_before"))


def test_before_its_time_nothing_is_turned(db):
    send(db)
    assert not turn(db)
    make_time(db, "23:00:00")
    assert not turn(db)
    assert (keys(db), before(db)) == (["k"], [])


def test_a_turn_keeps_the_keys_of_the_window_and_the_next_forgets_them(db):
    send(db)
    make_time(db)
    assert turn(db)
    assert (keys(db), before(db)) == ([], ["k"])
    assert not turn(db)
    assert [send(db), send(db, "new")] == [0, 1]
    assert (keys(db), before(db)) == (["new"], ["k"])
    make_time(db)
    assert turn(db)
    assert (keys(db), before(db)) == ([], ["new"])


def test_another_request_is_refused_after_the_turn_as_before(db):
    send(db)
    make_time(db)
    turn(db)
    with pytest.raises(psycopg.Error) as caught:
        send(db, recipient="another")
    assert caught.value.sqlstate == "ND004"


def test_an_old_key_of_before_the_turn_may_be_used_again(db):
    send(db)
    make_time(db)
    turn(db)
    age(db, "25:00:00")
    assert [send(db), send(db)] == [1, 0]
    assert count(db) == 2


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_a_transaction_that_holds_a_key_puts_the_turn_off_and_the_key_stays_unique(
    db, other_db, isolation
):
    make_time(db)
    with other_db.transaction():
        isolate(other_db, isolation)
        assert send(other_db) == 1
        assert not turn(db)
        results = []
        thread = Thread(target=lambda: results.append(send(db)))
        thread.start()
        wait_for(lambda: is_waiting(other_db, db))
    thread.join()
    assert results == [0]
    assert turn(db)
    assert send(db) == 0
    assert count(db) == 1


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
@pytest.mark.parametrize("turns", [1, 2])
def test_a_snapshot_of_before_the_turn_fails_rather_than_send_twice(db, other_db, isolation, turns):
    """Its snapshot sees neither the key nor that it has gone to the other table."""
    with pytest.raises(psycopg.errors.SerializationFailure), other_db.transaction():
        isolate(other_db, isolation)
        other_db.execute("select from pg_catalog.pg_class limit 1")
        send(db)
        for _ in range(turns):
            make_time(db)
            assert turn(db)
            if turns == 2:
                send(db)
        send(other_db)
    assert count(db) == (1 if turns == 1 else 2)


def test_who_waits_for_the_turn_sees_what_was_there_before_it(db, other_db):
    """Its snapshot is taken after its locks have come; an older one would send twice."""
    for key in ("a", "b"):
        send(other_db, key)  # its statements are planned by now
    results = []
    with db.transaction():
        db.execute("lock table notify.idempotency_keys, notify.idempotency_keys_before")
        thread = Thread(target=lambda: results.append(send(other_db)))
        thread.start()
        wait_for(lambda: is_waiting(db, other_db))
        send(db)
        make_time(db)
        assert turn(db)
        assert before(db) == ["a", "b", "k"]
    thread.join()
    assert results == [0]
    assert count(db) == 3


def test_a_turn_waits_for_nobody_and_keeps_nobody_waiting(db, other_db):
    make_time(db)
    with other_db.transaction():
        send(other_db)
        assert not turn(db)
        assert send(db, "neighbour") == 1
    assert db.execute("show lock_timeout").fetchone().lock_timeout != "5ms"


def test_two_who_turn_at_once_turn_once(db, other_db):
    make_time(db)
    send(db)
    results = []
    with db.transaction():
        assert turn(db)
        thread = Thread(target=lambda: results.append(turn(other_db)))
        thread.start()
        thread.join()
    assert results == [False]
    assert not turn(other_db)
    assert before(db) == ["k"]


def let_the_wait_pass(db):
    """Let the day pass in which nothing is forgotten."""
    db.execute("update notify.settings set forget_from = clock_timestamp() - interval '1 s'")


def test_a_clock_that_was_ahead_puts_the_turn_off_by_a_day_and_one_window_only(db):
    make_time(db, "-30 days")
    assert not turn(db)
    let_the_wait_pass(db)
    assert not turn(db)
    make_time(db)
    assert turn(db)


def test_a_clock_that_is_behind_for_a_while_makes_no_young_key_old(db):
    """Seen from two days behind, the last turn and the keys are two days ahead."""
    send(db)
    make_time(db)
    assert turn(db)
    make_time(db, "-2 days")
    assert not turn(db)
    db.execute("update notify.settings set forget_from = forget_from - interval '2 days'")
    make_time(db, "2 days")
    assert not turn(db)
    assert before(db) == ["k"]
    assert send(db) == 0


def test_a_wait_of_long_ago_does_not_let_the_last_turn_move(db):
    db.execute("update notify.settings set forget_from = clock_timestamp() - interval '25 hours'")
    make_time(db, "-2 days")
    assert not turn(db)
    query = "select keys_turned_at > clock_timestamp() + interval '1 day' as x from notify.settings"
    assert db.execute(query).fetchone().x


def test_while_forgetting_waits_nothing_is_turned(db):
    make_time(db)
    db.execute("select notify.doubt_clock()")
    assert not turn(db)
    let_the_wait_pass(db)
    assert turn(db)


def test_the_keys_of_a_turn_are_not_deleted_but_truncated(db):
    db.execute(
        "insert into notify.idempotency_keys_before select 'p', n::text, n, gen_random_uuid(),"
        " now() - interval '2 days' from generate_series(1, 1000) n"
    )
    make_time(db)
    assert turn(db)
    size = db.execute("select pg_relation_size('notify.idempotency_keys') as n").fetchone().n
    assert size == 0
