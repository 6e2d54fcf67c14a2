"""notify.lanes(): the queue by lane; tests of gauges(), which adds them up, hold for it too."""

import pytest

from tests.ledger import ago, change, claim, enqueue


@pytest.fixture
def db(shared_db):
    return shared_db


def lanes(db):
    return db.execute("select * from notify.lanes()").fetchone()


def test_an_empty_ledger_has_four_empty_lanes(db):
    assert lanes(db) == ([0, 0, 0, 0], 0, 0, False, None)


def test_each_lane_is_counted_whether_it_is_due_or_not(db):
    for priority, rows in enumerate((3, 1, 0, 2)):
        enqueue(db, rows, priority=priority)
    enqueue(db, send_at=ago(db, "-1 hour"), priority=2)
    claim(db, enqueue(db, 4))
    got = lanes(db)
    assert (got.queued, got.sending, got.is_estimate) == ([3, 1, 1, 2], 4, False)


def test_the_oldest_is_the_longest_due_of_all_lanes(db):
    for priority in (0, 3):
        [id] = enqueue(db, priority=priority)
        change(db, id, due_at=ago(db, f"{priority + 1} hours"))
    assert 4 * 3600 <= lanes(db).oldest_due_age.total_seconds() < 5 * 3600


def test_gauges_are_their_sum(db):
    enqueue(db, 2, priority=0)
    enqueue(db, 3, priority=3)
    got, gauges = lanes(db), db.execute("select * from notify.gauges()").fetchone()
    assert (gauges.queued, gauges.sending, gauges.is_estimate) == (5, 0, False)
    assert sum(got.queued) + got.quiet == gauges.queued


def test_a_long_ledger_counts_its_quiet_days_in_no_lane(long_db):
    enqueue(long_db, 3, priority=1)
    long_db.execute("update notify.quiet_days set queued = 7, until = now() + interval '1 hour'"
                    " where day = (select min(day) from notify.quiet_days)")  # fmt: skip
    got = lanes(long_db)
    assert (got.queued, got.quiet) == ([0, 3, 0, 0], 7)
    assert long_db.execute("select queued from notify.gauges()").fetchone().queued == 10
    long_db.execute("update notify.quiet_days set queued = 0")


@pytest.mark.slow  # 150,000 rows
def test_of_a_full_lane_the_others_are_exact(db):
    db.execute("truncate notify.notifications")  # dead entries would be counted as well
    db.execute("alter table notify.notifications disable trigger all")
    with db.transaction(force_rollback=True):
        enqueue(db, 150_000, recipient="large", priority=3)
        enqueue(db, 5, priority=0)
        db.execute("analyze notify.notifications")
        got = lanes(db)
        assert got.is_estimate
        assert got.queued[:3] == [5, 0, 0]
        assert 100_000 < got.queued[3] < 300_000
    db.execute("alter table notify.notifications enable trigger all")
