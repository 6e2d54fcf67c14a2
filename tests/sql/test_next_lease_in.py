"""When the reaper has something to do next."""

import pytest

from tests.ledger import claim, enqueue, put


@pytest.fixture
def db(shared_db):
    return shared_db


def next_lease_in(db):
    left = db.execute("select notify.next_lease_in() as left").fetchone().left
    return left and left.total_seconds()


def test_without_a_lease_there_is_none(db):
    enqueue(db, 3)
    put(db, "sent")
    assert next_lease_in(db) is None


def test_it_is_the_wait_until_the_earliest_ends(db):
    for lease in ("30 seconds", "10 seconds", "20 seconds"):
        claim(db, enqueue(db), lease=lease)
    assert 8 < next_lease_in(db) <= 10


def test_it_is_negative_when_one_has_passed(db):
    claim(db, enqueue(db), lease="-5 seconds")
    claim(db, enqueue(db), lease="30 seconds")
    assert -7 < next_lease_in(db) <= -5
