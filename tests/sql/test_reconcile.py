"""Reconciling: the same look as due(), from the head of every lane."""

import pytest

from tests.ledger import ago, change, due, enqueue


@pytest.fixture
def db(shared_db):
    return shared_db


def reconcile(db, limit):
    query = "select * from notify.reconcile(%s)"
    return {r.priority: r for r in db.execute(query, [limit])}


def test_every_lane_is_looked_at_from_its_head(db):
    ids = [enqueue(db, priority=p)[0] for p in range(4)]
    change(db, ids[1], due_at=ago(db, "1 year"))
    found = reconcile(db, 10)
    assert {p: lane.ids for p, lane in found.items()} == {p: [ids[p]] for p in range(4)}
    assert found.keys() == due(db).keys()


def test_the_limit_is_per_lane(db):
    enqueue(db, 5)
    assert len(reconcile(db, 3)[2].ids) == 3
