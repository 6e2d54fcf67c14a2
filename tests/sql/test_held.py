"""What a worker has according to the ledger."""

import pytest

from tests.ledger import claim, enqueue, note_refused, put


@pytest.fixture
def db(shared_db):
    return shared_db


def held(db, worker, limit=100):
    rows = db.execute("select * from notify.held(%s, %s)", [worker, limit]).fetchall()
    return [(row.id, row.attempt) for row in rows]


def test_a_worker_holds_what_it_has_claimed_under_that_attempt(db):
    mine, theirs = enqueue(db), enqueue(db)
    claim(db, mine, worker="host:1-aa")
    claim(db, theirs, worker="host:1-ab")
    assert held(db, "host:1-aa") == [(mine[0], 1)]


def test_what_waits_or_has_ended_is_held_by_nobody(db):
    enqueue(db)
    put(db, "sent")
    assert held(db, "w:1") == []


def test_no_more_than_the_limit_comes_the_oldest_lease_first(db):
    late, early = enqueue(db), enqueue(db)
    claim(db, late, lease="30 seconds")
    claim(db, early, lease="10 seconds")
    assert held(db, "w:1", limit=1) == [(early[0], 1)]


def test_what_it_has_sent_and_cannot_settle_is_not_to_be_sent_again(db):
    """Whoever does not know a row that it holds gives it back."""
    sent, lost = claim(db, enqueue(db, 2))
    note_refused(db, sent)
    assert held(db, "w:1") == [(lost.id, lost.attempt)]
