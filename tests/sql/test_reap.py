"""Reaping: an expired lease ends its attempt, and the notification goes on."""

import pytest

from tests.ledger import ago, attempts_of, change, claim, enqueue, reap, release, row, settle


@pytest.fixture
def db(shared_db):
    return shared_db


def test_an_expired_lease_is_given_back_due_at_once(db):
    [id] = enqueue(db)
    claim(db, [id], lease="-1 second")
    assert [(r.id, r.attempt, r.status) for r in reap(db)] == [(id, 1, "queued")]
    kept = row(db, id)
    assert (kept.status, kept.attempt, kept.last_error_code) == ("queued", 1, "lease_expired")
    assert kept.due_at <= ago(db, "0")
    assert [g.attempt for g in claim(db, [id])] == [2]


def test_a_lease_that_still_runs_is_left(db):
    [id] = enqueue(db)
    claim(db, [id], lease="1 minute")
    before = row(db, id)
    assert reap(db) == []
    assert row(db, id) == before


def test_the_last_attempt_makes_a_dead_letter(db):
    [id] = enqueue(db, max_attempts=1)
    claim(db, [id], lease="-1 second")
    assert [r.status for r in reap(db)] == ["failed"]
    assert row(db, id).settled_at is not None


def test_the_attempt_is_written_down_with_the_worker_that_lost_it(db):
    [id] = enqueue(db)
    claim(db, [id], lease="-5 seconds", worker="gone:1")
    lease_until = row(db, id).lease_until
    reap(db)
    [attempt] = attempts_of(db, id)
    assert (attempt.outcome, attempt.worker, attempt.took_ms, attempt.started_at) == (
        "lease_expired",
        "gone:1",
        None,
        lease_until,
    )


@pytest.mark.parametrize("late", [settle, release])
def test_a_worker_that_comes_back_after_the_reaper_changes_nothing(db, late):
    [id] = enqueue(db)
    got = claim(db, [id], lease="-1 second")
    reap(db)
    before = row(db, id)
    assert late(db, got) == []
    assert row(db, id) == before
    assert len(attempts_of(db, id)) == 1


def test_a_worker_that_is_late_but_before_the_reaper_still_settles(db):
    [id] = enqueue(db)
    got = claim(db, [id], lease="-1 second")
    assert [s.status for s in settle(db, got)] == ["sent"]
    assert reap(db) == []


def test_the_oldest_leases_go_first_up_to_the_limit(db):
    ids = enqueue(db, 5)
    claim(db, ids, lease="-1 second")
    change(db, ids[3], lease_until=ago(db, "1 hour"))
    assert [r.id for r in reap(db, limit=1)] == [ids[3]]
    assert len(reap(db, limit=3)) == 3
    assert len(reap(db, limit=3)) == 1


def test_nothing_is_reaped_within_the_grace_after_the_servers_start(db):
    [id] = enqueue(db)
    claim(db, [id], lease="-1 second")
    assert reap(db, grace="1000 days") == []
    assert row(db, id).status == "sending"
