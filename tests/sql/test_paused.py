"""The list of pauses: what is paused, and how many wait."""

import pytest

from tests.ledger import cancel, claim, enqueue, pause, paused, put, resume
from tests.sql.long import old_id


@pytest.fixture
def db(shared_db):
    return shared_db


def test_without_a_pause_it_is_empty(db):
    assert paused(db) == []


def test_each_pause_counts_what_waits_for_it_in_every_lane(db):
    mails, shop = pause(db, "channel", "email"), pause(db, "producer", "shop")
    for lane in range(4):
        put(db, "queued", channel="email", priority=lane)
    put(db, "queued", producer="shop", priority=3)
    enqueue(db, 2)
    assert len(claim(db)) == 2
    assert {p.id: p.waiting for p in paused(db)} == {mails: 4, shop: 1}
    assert [p.id for p in paused(db, mails)] == [mails]


def test_it_counts_no_further_than_its_limit(db):
    pause(db, "channel", "log")
    claim(db, enqueue(db, 9))
    assert [paused(db, count_max=most)[0].waiting for most in (1, 4, 9, 20)] == [1, 4, 9, 9]


def test_they_come_newest_first_each_with_its_own(db):
    for channel in ("email", "webhook", "log"):
        pause(db, "channel", channel)
    for _ in range(15):
        put(db, "queued", channel="log")
    for _ in range(7):
        put(db, "queued", channel="email", recipient="ada@example.org")
    claim(db)
    assert [p.waiting for p in paused(db, count_max=10)] == [10, 0, 7]
    assert [p.waiting for p in paused(db, count_max=2)] == [2, 0, 2]


def test_what_would_take_too_long_to_count_is_not_counted(db):
    for n in range(15):
        pause(db, "producer", f"shop-{n}")
        put(db, "queued", producer=f"shop-{n}")
    claim(db)
    assert [p.waiting for p in paused(db, count_max=1)] == [1] * 10 + [None] * 5


def test_what_is_cancelled_waits_no_longer(db):
    pause(db, "channel", "log")
    ids = enqueue(db, 3)
    claim(db, ids)
    assert all(c.was_cancelled for c in cancel(db, ids[:2]))
    assert paused(db)[0].waiting == 1


def test_one_that_was_resumed_is_there_until_its_last_row_is_back(db):
    id = pause(db, "channel", "log")
    claim(db, enqueue(db, 2))
    resume(db, id)
    [left] = paused(db)
    assert left.waiting == 2
    assert left.resumed_at >= left.paused_at


def test_rows_of_quiet_days_count(long_db):
    put(long_db, "queued", id=old_id(long_db, 40))
    pause(long_db, "channel", "log")
    claim(long_db)
    assert paused(long_db)[0].waiting == 1
    long_db.execute("delete from notify.pauses")
