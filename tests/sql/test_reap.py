"""Reaping: an expired lease ends its attempt, and the notification goes on."""

import pytest

from tests.ledger import ago, attempts_of, change, claim, enqueue, reap, release, row, settle
from tests.sql.faults import ODD, trigger


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


STARTED_AHEAD = """
do $$ begin
  execute replace(pg_get_functiondef('notify.reap'::regproc), 'pg_postmaster_start_time()',
    '(clock_timestamp() + interval ''2 hours'')');
end $$
"""


def test_a_server_that_started_with_its_clock_ahead_is_no_reason_to_wait(db):
    [id] = enqueue(db)
    claim(db, [id], lease="-1 second")
    with db.transaction(force_rollback=True):
        db.execute(STARTED_AHEAD)
        assert [r.id for r in reap(db, grace="30 seconds")] == [id]


LET_5_MS_PASS = """
update notify.notifications set due_at = clock_timestamp()
where status = 'queued' and due_at <= interval '5 ms' + (
  select min(due_at) from notify.notifications where status = 'queued')
"""


def end_leases(db):
    db.execute(
        "update notify.notifications set lease_until = clock_timestamp() - interval '1 s'"
        " where status = 'sending'"
    )


def test_a_second_lease_in_a_row_that_expires_waits_by_a_backoff_with_jitter(db):
    ids = enqueue(db, 50)
    for _ in range(2):
        now = ago(db, "0")
        assert len(claim(db, ids, lease="-1 second")) == len(ids)
        reap(db)
    waits = {(row(db, id).due_at - now).total_seconds() for id in ids}
    assert 5 <= min(waits) <= max(waits) <= 11
    assert len(waits) == len(ids)


def test_another_end_in_between_begins_anew(db):
    [id] = enqueue(db)
    claim(db, [id], lease="-1 second")
    reap(db)
    settle(db, claim(db, [id]), "temporary", schedule=[0])
    claim(db, [id], lease="-1 second")
    reap(db)
    assert row(db, id).due_at <= ago(db, "0")


def test_a_notification_that_kills_its_workers_ends_in_failed_and_the_others_are_sent(db):
    """A worker sends all that is due within 5 ms, and dies if the poisoned one is among it."""
    ids = enqueue(db, 20)
    poisoned = ids[3]
    while db.execute(LET_5_MS_PASS).rowcount:
        hand = claim(db)
        if poisoned in {got.id for got in hand}:
            end_leases(db)
            reap(db)
        else:
            settle(db, hand)
    died = row(db, poisoned)
    assert (died.status, died.attempt, died.last_error_code) == ("failed", 4, "lease_expired")
    assert "w:1 died, hung or was cut off" in died.last_error
    assert "no attempts are left" in died.last_error
    assert {row(db, id).status for id in ids if id != poisoned} == {"sent"}


@pytest.mark.parametrize("act", ["return null;", "return old;", "raise 'no';"])
def test_leases_that_a_trigger_keeps_hold_up_none_behind_them(faulty_db, act):
    db = faulty_db
    odd, free = enqueue(db, 5, reference=ODD), enqueue(db, 2)
    claim(db, odd, lease="-1 minute")
    claim(db, free, lease="-1 second")
    db.execute(trigger(act))
    told = {r.id: r.status for r in reap(db, limit=5)}
    assert told == dict.fromkeys(odd, "refused") | dict.fromkeys(free, "queued")
