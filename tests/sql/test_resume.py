"""Resuming: a pause ends for good, and leaves no row behind."""

from threading import Thread

import psycopg
import pytest

from tests.ledger import bring_back, claim, enqueue, pause, paused, resume, row
from tests.waiting import wait_until_blocked


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


def test_it_waits_for_who_sets_a_row_aside_at_this_moment(db, shared_url):
    """Else that row would wait for a pause that is gone."""
    id = pause(db, "channel", "log")
    [waits] = enqueue(db)
    with psycopg.connect(shared_url) as worker:
        worker.execute("select notify.set_aside(%s)", [[waits]])
        db.execute("set lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            resume(db, id)
        worker.commit()
    assert resume(db, id)
    assert bring_back(db) == 1
    assert paused(db) == []


def test_while_it_is_open_covered_rows_are_neither_set_aside_nor_sent(db, shared_url):
    id = pause(db, "channel", "log")
    [waits] = enqueue(db)
    before = row(db, waits)
    with psycopg.connect(shared_url) as operator:
        operator.execute("select notify.resume(%s)", [id])
        assert claim(db, [waits]) == []
        assert row(db, waits) == before
        operator.rollback()
    assert claim(db, [waits]) == []
    assert paused(db)[0].waiting == 1


def test_while_it_waits_nobody_else_sets_aside_or_it_would_wait_for_ever(db, shared_url):
    id = pause(db, "channel", "log")
    first, second = enqueue(db, 2)
    before = row(db, second)
    with psycopg.connect(shared_url) as worker, psycopg.connect(shared_url) as operator:
        worker.execute("select notify.set_aside(%s)", [[first]])
        resuming = Thread(target=operator.execute, args=("select notify.resume(%s)", [id]))
        resuming.start()
        try:
            wait_until_blocked(db, operator.info.backend_pid)
            assert claim(db, [second]) == []
            assert row(db, second) == before
        finally:
            worker.commit()
            resuming.join()
        operator.commit()
    assert [c.id for c in claim(db, [second])] == [second]
    assert bring_back(db) == 1
