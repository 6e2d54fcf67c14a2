"""notify.ahead_of(): how many due ones come before one, exact to a limit."""

import pytest

from tests.ledger import ago, change, claim, enqueue, row


def ahead(db, id, limit=100):
    query = "select notify.ahead_of(%s, %s, %s, %s) as n"
    found = row(db, id)
    return db.execute(query, [found.priority, found.due_at, found.id, limit]).fetchone().n


def test_those_of_its_lane_that_fell_due_earlier_come_first(shared_db):
    ids = enqueue(shared_db, 4)
    at = ago(shared_db, "1 minute")
    for id in ids:
        change(shared_db, id, due_at=at)
    assert [ahead(shared_db, id) for id in ids] == [0, 1, 2, 3]
    claim(shared_db, ids[:1])
    assert ahead(shared_db, ids[3]) == 2


def test_more_urgent_ones_come_first_and_less_urgent_ones_never(shared_db):
    [id] = enqueue(shared_db)
    enqueue(shared_db, 2, priority=0)
    enqueue(shared_db, 3, priority=1)
    enqueue(shared_db, 5, priority=3)
    assert ahead(shared_db, id) == 5


def test_those_that_are_not_due_do_not_count(shared_db):
    enqueue(shared_db, 2, priority=0, send_at=ago(shared_db, "-1 hour"))
    [id] = enqueue(shared_db)
    assert ahead(shared_db, id) == 0


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_it_counts_no_further_than_its_limit(shared_db, limit):
    enqueue(shared_db, 3, priority=1)
    ids = enqueue(shared_db, 4)
    assert ahead(shared_db, ids[3], limit) == min(limit, 6)


def test_in_a_long_ledger_quiet_days_are_not_opened(long_db):
    ids = enqueue(long_db, 3)
    assert [ahead(long_db, id) for id in ids] == [0, 1, 2]
