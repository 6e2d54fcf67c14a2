"""The proof of a clock that was ahead: what was created later than now."""

from datetime import timedelta
from uuid import UUID

import pytest

from tests.ledger import ago, change, enqueue, put


@pytest.fixture
def db(shared_db):
    return shared_db


def born_ahead(db):
    return db.execute("select notify.born_ahead() as at").fetchone().at


def id_in(db, interval):
    """Make an id of a moment to come."""
    text = db.execute("select notify.id_floor(%s)::text as id", [ago(db, f"-{interval}")])
    return UUID(text.fetchone().id[:14] + "7" + "000-8000-000000000001")


def born(db, interval):
    """Place a row that was created by a clock so much ahead; give its time."""
    at = ago(db, f"-{interval}")
    change(db, put(db, "sent", id=id_in(db, interval)), created_at=at)
    return at


def test_where_no_clock_was_ahead_there_is_no_proof(db):
    assert born_ahead(db) is None
    enqueue(db, 100)
    enqueue(db, 10, send_at=ago(db, "-2 hours"))
    assert born_ahead(db) is None


@pytest.mark.parametrize("interval", ["10 seconds", "2 hours", "30 hours", "9 days", "400 days"])
def test_the_newest_row_tells_for_how_long_there_is_proof(db, interval):
    born(db, "8 seconds")
    at = born(db, interval)
    assert abs(born_ahead(db) - at) < timedelta(seconds=1)


def test_ids_of_a_producer_whose_clock_is_ahead_prove_nothing(db):
    for n in range(1, 4):
        put(db, "queued", id=id_in(db, f"{n} hours"))
    assert born_ahead(db) is None


def test_a_second_or_two_between_machines_is_no_proof(db):
    born(db, "2 seconds")
    assert born_ahead(db) is None
