"""explain_sending(): who has it, and what if they do not settle it."""

from tests.explaining import explain, first, leading, silence
from tests.ledger import ago, change, claim, enqueue, reap, row


def test_one_that_is_being_sent_says_by_whom_and_until_when(road):
    [id] = enqueue(road)
    claim(road, [id])
    got = first(road, id)
    assert (got.code, got.until) == ("leased", row(road, id).lease_until)
    assert "attempt 1 of 4 is leased to worker w:1 until" in got.sentence


def test_a_worker_without_a_heartbeat_is_of_a_release_before_and_not_dead(road):
    [id] = enqueue(road)
    claim(road, [id], worker="old:1")
    assert first(road, id).code == "leased"


def test_a_worker_that_died_is_named_and_the_reapers_time(road):
    [id] = enqueue(road, max_attempts=1)
    claim(road, [id])
    silence(road, "31 s")
    got = first(road, id)
    assert (got.code, got.until) == ("worker_died", row(road, id).lease_until)
    assert "no heartbeat since" in got.sentence and "was the last attempt" in got.sentence


def test_a_lease_that_has_passed_waits_for_the_reaper(db, dsn):
    [id] = enqueue(db)
    claim(db, [id])
    change(db, id, lease_until=ago(db, "1 s"))
    assert list(explain(db, id)) == ["lease_passed", "no_dispatcher", "enqueued"]
    with leading(dsn):
        assert list(explain(db, id)) == ["lease_passed", "enqueued"]


def test_a_lease_that_ends_is_reaped_and_explained_anew(road):
    [id] = enqueue(road, max_attempts=1)
    claim(road, [id])
    change(road, id, lease_until=ago(road, "1 s"))
    reap(road)
    got = first(road, id)
    assert got.code == "failed" and "may be the cause" in got.sentence
