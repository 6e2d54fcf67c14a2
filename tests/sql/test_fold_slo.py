"""The service level's ledger: every end is counted where it happens, and folded into its day."""

from datetime import timedelta

import psycopg
import pytest

from tests.ledger import (
    ago,
    cancel,
    change,
    claim,
    counted,
    ended,
    enqueue,
    fold_slo,
    put,
    reap,
    redrive,
    settle,
)


@pytest.fixture
def db(shared_db):
    return shared_db


def results(db):
    """Give what was counted, whatever the day, the channel and the priority."""
    return {result: n for (_, _, _, result), n in counted(db).items()}


def daily(db):
    return db.execute(
        "select channel, priority, in_time, late, failed, expired from notify.slo_daily"
        " order by channel, priority"
    ).fetchall()


def old(db, ids, by="11 seconds"):
    """Let rows be older than they are."""
    for id in ids:
        change(db, id, created_at=ago(db, by))
    return ids


@pytest.mark.parametrize(
    ("outcome", "result"), [("sent", "in_time"), ("permanent", "failed"), ("expired", "expired")]
)
def test_a_settle_counts_what_it_ends(db, outcome, result):
    settle(db, claim(db, enqueue(db, 3)), outcome)
    assert results(db) == {result: 3}
    assert counted(db) == ended(db)


@pytest.mark.parametrize("outcome", ["temporary", "unknown"])
def test_what_is_tried_again_is_not_counted_until_its_last_attempt(db, outcome):
    settle(db, claim(db, enqueue(db, max_attempts=2)), outcome, schedule=[0])
    assert results(db) == {}
    settle(db, claim(db), outcome)
    assert results(db) == {"failed": 1}


def test_a_stale_settle_counts_nothing(db):
    got = claim(db, enqueue(db))
    for _ in range(2):
        settle(db, got)
    assert results(db) == {"in_time": 1}


def test_what_is_sent_later_than_ten_seconds_is_late(db):
    settle(db, claim(db, [*old(db, enqueue(db, 2)), *enqueue(db, 3)]))
    assert results(db) == {"late": 2, "in_time": 3}
    assert counted(db) == ended(db)


def test_the_time_runs_from_send_at(db):
    [id] = old(db, enqueue(db), "1 hour")
    change(db, id, send_at=ago(db, "5 seconds"))
    [settled] = settle(db, claim(db, [id]))
    assert timedelta(seconds=5) <= settled.age < timedelta(seconds=10)
    assert results(db) == {"in_time": 1}


@pytest.mark.parametrize("by_id", [True, False])
def test_a_claim_counts_what_it_finds_expired(db, by_id):
    late = [put(db, "queued", expires_at=ago(db, "1 second")) for _ in range(2)]
    ids = [*late, *enqueue(db, 2)]
    assert len(claim(db, ids if by_id else None)) == 4
    assert results(db) == {"expired": 2}
    assert counted(db) == ended(db)


def test_a_reap_counts_what_has_no_attempts_left(db):
    lapsed = ago(db, "1 second")
    put(db, "sending", lease_until=lapsed, max_attempts=1)
    put(db, "sending", lease_until=lapsed)
    assert {r.status for r in reap(db)} == {"failed", "queued"}
    assert results(db) == {"failed": 1}
    assert counted(db) == ended(db)


def test_what_is_cancelled_counts_nowhere(db):
    cancel(db, enqueue(db, 2))
    assert results(db) == {}


def test_a_redrive_takes_the_failure_back_from_its_own_day(db):
    ids = enqueue(db, 3, max_attempts=1)
    settle(db, claim(db, ids), "temporary")
    change(db, ids[0], settled_at=ago(db, "3 days"))
    db.execute(
        "update notify.slo_deltas set count = 2; insert into notify.slo_deltas"
        " select day - 3, channel, priority, result, 1 from notify.slo_deltas"
    )
    assert counted(db) == ended(db)
    assert redrive(db, ids=ids[:2]).redriven == 2
    assert results(db) == {"failed": 1}
    assert counted(db) == ended(db)
    settle(db, claim(db, ids[:1]))
    assert counted(db) == ended(db)


def test_a_dry_run_takes_nothing_back(db):
    settle(db, claim(db, enqueue(db, max_attempts=1)), "temporary")
    redrive(db, dry_run=True)
    assert results(db) == {"failed": 1}


def test_what_is_rolled_back_was_never_counted(db):
    got = claim(db, enqueue(db))
    with db.transaction():
        settle(db, got)
        raise psycopg.Rollback
    assert results(db) == {}
    settle(db, got)
    assert results(db) == {"in_time": 1}


def test_folding_adds_the_deltas_to_their_day_and_removes_them(db):
    settle(db, claim(db, enqueue(db, 2, priority=0)))
    settle(db, claim(db, enqueue(db, 1, priority=0)), "permanent")
    settle(db, claim(db, enqueue(db, 1, channel="webhook", recipient="https://example.org/")))
    before = counted(db)
    folded = fold_slo(db)
    assert sorted((f.channel, f.priority, f.result, f.ended, f.deltas) for f in folded) == [
        ("log", 0, "failed", 1, 1),
        ("log", 0, "in_time", 2, 1),
        ("webhook", 2, "in_time", 1, 1),
    ]
    assert daily(db) == [("log", 0, 2, 0, 1, 0), ("webhook", 2, 1, 0, 0, 0)]
    assert counted(db) == before == ended(db)
    assert fold_slo(db) == []


def test_folding_again_adds_to_what_is_there(db):
    for _ in range(3):
        settle(db, claim(db, enqueue(db, 2)))
        fold_slo(db)
    assert daily(db) == [("log", 2, 6, 0, 0, 0)]


def test_what_is_taken_back_lessens_the_day_but_not_what_is_told(db):
    ids = enqueue(db, 2, max_attempts=1)
    settle(db, claim(db, ids), "temporary")
    assert redrive(db, ids=ids).redriven == 2
    settle(db, claim(db, ids[:1]), "permanent")
    [folded] = fold_slo(db)
    assert (folded.result, folded.ended, folded.deltas) == ("failed", 3, 3)
    assert daily(db) == [("log", 2, 0, 0, 1, 0)]


def test_one_call_folds_no_more_than_its_limit(db):
    for _ in range(5):
        settle(db, claim(db, enqueue(db)))
    assert [sum(f.deltas for f in fold_slo(db, 2)) for _ in range(4)] == [2, 2, 1, 0]
    assert daily(db) == [("log", 2, 5, 0, 0, 0)]


def test_a_result_that_nobody_knows_is_refused(db):
    with pytest.raises(psycopg.errors.CheckViolation, match="result_is_known"):
        db.execute("insert into notify.slo_deltas values (current_date, 'log', 2, 'lost', 1)")
