"""Resuming: a pause ends for good, and leaves no row behind."""

import psycopg
import pytest

from tests.ledger import bring_back, claim, enqueue, pause, paused, resume


@pytest.fixture
def db(shared_db):
    return shared_db


def test_what_comes_after_it_is_claimed_again(db):
    id = pause(db, "channel", "log")
    assert resume(db, id)
    [new] = enqueue(db)
    assert [c.id for c in claim(db, [new])] == [new]


def test_it_says_whether_there_is_such_a_pause(db):
    id = pause(db, "channel", "log")
    [waits] = enqueue(db)
    claim(db, [waits])
    assert [resume(db, id), resume(db, id)] == [True, True]
    bring_back(db)
    assert not resume(db, id)
    assert not resume(db, 2**62)


def test_resuming_twice_keeps_the_first_time_and_one_line_of_the_audit(db):
    id = pause(db, "channel", "log")
    [waits] = enqueue(db)
    claim(db, [waits])
    db.execute("select notify.resume(%s, 'ops', 'key1')", [id])
    before = paused(db)
    resume(db, id)
    assert paused(db) == before
    uses = db.execute(
        "select * from notify.audit where verb = 'resume' and detail->>'id' = %s", [str(id)]
    ).fetchall()
    assert [(u.actor, u.key_id) for u in uses] == [("ops", "key1")]


def test_it_waits_for_nobody_who_sets_a_row_aside_and_that_row_comes_back(db, shared_url):
    id = pause(db, "channel", "log")
    [waits] = enqueue(db)
    with psycopg.connect(shared_url) as worker:
        worker.execute("select notify.set_aside(%s)", [[waits]])
        db.execute("set lock_timeout = '100ms'")
        assert resume(db, id)
        db.execute("reset lock_timeout")
        worker.commit()
    assert bring_back(db) == 1
    assert paused(db) == []
    assert [c.id for c in claim(db, [waits])] == [waits]


def test_while_it_is_open_what_is_covered_is_set_aside_as_ever(db, shared_url):
    """An operator who leaves it open in psql delays nobody."""
    id = pause(db, "channel", "log")
    [waits] = enqueue(db)
    with psycopg.connect(shared_url) as operator:
        operator.execute("select notify.resume(%s)", [id])
        db.execute("set lock_timeout = '100ms'")
        assert claim(db, [waits]) == []
        db.execute("reset lock_timeout")
        assert paused(db)[0].waiting == 1
        operator.commit()
    assert bring_back(db) == 1


def test_no_lock_that_any_role_may_take_stops_it(db, shared_url):
    id = pause(db, "channel", "log")
    with psycopg.connect(shared_url) as stranger:
        for lock in range(10):
            stranger.execute("select pg_advisory_lock(1852798057, %s)", [lock])
        db.execute("set lock_timeout = '100ms'")
        assert claim(db, enqueue(db)) == []
        assert resume(db, id)
        assert bring_back(db) == 1
        db.execute("reset lock_timeout")
