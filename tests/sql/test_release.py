"""Releasing: a claim that was not begun goes back, and costs no attempt."""

from types import SimpleNamespace

import pytest

from tests.ledger import ago, attempts_of, change, claim, enqueue, release, row, settle


@pytest.fixture
def db(shared_db):
    return shared_db


def test_a_released_row_is_queued_with_one_attempt_more_to_go(db):
    [id] = enqueue(db, max_attempts=2)
    [got] = claim(db, [id])
    assert [(r.id, r.attempt) for r in release(db, [got])] == [(id, 1)]
    kept = row(db, id)
    assert (kept.status, kept.attempt, kept.max_attempts) == ("queued", 1, 3)
    assert (kept.lease_until, kept.claimed_by) == (None, None)
    assert attempts_of(db, id) == []


def test_nobody_loses_an_attempt_however_often_a_claim_goes_back(db):
    [id] = enqueue(db, max_attempts=1)
    for _ in range(3):
        release(db, claim(db, [id]))
    [got] = claim(db, [id])
    assert got.attempt == 4
    [settled] = settle(db, [got], "temporary")
    assert settled.status == "failed"


def test_it_is_due_again_after_the_delay(db):
    soon, later = enqueue(db, 2)
    release(db, claim(db, [soon]))
    release(db, claim(db, [later]), "1 minute")
    assert [g.id for g in claim(db)] == [soon]
    assert 55 < (row(db, later).due_at - ago(db, "0")).total_seconds() <= 60


def test_a_stale_release_changes_nothing(db):
    [id] = enqueue(db)
    [first] = claim(db, [id])
    settle(db, [first], "temporary")
    change(db, id, due_at=ago(db, "0"))
    claim(db, [id])
    before = row(db, id)
    assert release(db, [first]) == []
    assert release(db, [SimpleNamespace(id=id, attempt=9)]) == []
    assert row(db, id) == before


def test_a_pair_that_is_given_twice_goes_back_once(db):
    [id] = enqueue(db, max_attempts=2)
    [got] = claim(db, [id])
    release(db, [got, got])
    assert row(db, id).max_attempts == 3


def test_an_empty_batch_is_harmless(db):
    assert release(db, []) == []
