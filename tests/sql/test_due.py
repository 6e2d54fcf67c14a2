"""Looking: what should be in the ready set, lane by lane, without writing anything."""

import pytest

from tests.ledger import ago, change, claim, due, enqueue, row


@pytest.fixture
def db(shared_db):
    return shared_db


def test_the_ids_come_by_due_at_with_their_times(db):
    first, second, third = enqueue(db, 3)
    for id, wait in ((first, "1 second"), (second, "3 seconds"), (third, "2 seconds")):
        change(db, id, due_at=ago(db, wait))
    lane = due(db)[2]
    assert lane.ids == [second, third, first]
    times_ms = [row(db, id).due_at.timestamp() * 1000 for id in lane.ids]
    assert lane.due_ms == pytest.approx(times_ms, rel=0, abs=0.002)
    assert lane.now_ms == pytest.approx(ago(db, "0").timestamp() * 1000, rel=0, abs=5000)


def test_each_lane_is_its_own_and_only_the_asked_for_are_looked_at(db):
    ids = [enqueue(db, priority=p)[0] for p in range(4)]
    assert {p: lane.ids for p, lane in due(db).items()} == {p: [ids[p]] for p in range(4)}
    assert list(due(db, lanes=[3, 1])) == [3, 1]


def test_an_empty_lane_still_answers(db):
    lane = due(db, lanes=[0])[0]
    assert (lane.ids, lane.due_ms, lane.next_due_in) == ([], [], None)


def test_the_limit_is_per_lane(db):
    enqueue(db, 5, priority=0)
    enqueue(db, 5, priority=1)
    assert [len(lane.ids) for lane in due(db, 3).values()] == [3, 3, 0, 0]


def test_what_falls_due_later_is_announced_by_the_wait_for_it(db):
    [id] = enqueue(db, send_at=ago(db, "-1 hour"))
    enqueue(db, send_at=ago(db, "-2 hours"))
    lane = due(db)[2]
    assert lane.ids == []
    assert 3590 < lane.next_due_in.total_seconds() <= 3600
    change(db, id, due_at=ago(db, "0"))
    assert due(db)[2].ids == [id]


def test_a_floor_skips_what_is_below_it(db):
    old, new = enqueue(db, 2)
    change(db, old, due_at=ago(db, "1 hour"))
    floor = ago(db, "1 minute").timestamp() * 1000
    assert due(db, lanes=[2], floors=[floor])[2].ids == [new]
    assert due(db, lanes=[2], floors=[None])[2].ids == [old, new]


def test_what_is_claimed_is_not_offered(db):
    ids = enqueue(db, 3)
    claim(db, ids[:2])
    assert due(db)[2].ids == ids[2:]
