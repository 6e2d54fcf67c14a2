"""The leader's job that forgets idempotency keys."""

import pytest

from tests.ledger import insert
from tests.sql.test_turn_keys import before, make_time


@pytest.fixture
def leader(drive):
    return drive()


def test_keys_are_turned_when_their_window_has_passed(db, leader):
    insert(db, idempotency_key="k")
    leader.call(leader.jobs.turn_keys())
    assert before(db) == []
    make_time(db)
    leader.call(leader.jobs.turn_keys())
    assert before(db) == ["k"]


def test_a_key_in_an_open_transaction_is_no_failure(db, other_db, leader):
    make_time(db)
    with other_db.transaction():
        insert(other_db, idempotency_key="k")
        leader.call(leader.jobs.turn_keys())
    leader.call(leader.jobs.turn_keys())
    assert before(db) == ["k"]
