"""When the reaper takes attempts back, and when it leaves live workers alone."""

import pytest
from prometheus_client import CollectorRegistry

from service.dispatch.mender import Mender
from service.dispatch.reaper import (
    REAP_PAUSE_MIN_S,
    SETTLE_AGAIN_S,
    SETTLE_GRACE_S,
    STALL_S,
    Reaper,
)
from service.errors import DatabaseAway
from service.metrics import DispatcherMetrics
from tests.ledger import ago, change, claim, enqueue, put, status
from tests.waiting import LIMIT_S, wait_for


class LeadersReaper:
    """A reaper that leads since the time 0 of its own clock, and runs when a test calls it."""

    def __init__(self, driven):
        self.now = 0.0
        self._driven = driven
        metrics, lease_s = DispatcherMetrics(CollectorRegistry()), driven.settings.lease_s
        mender = Mender(driven.store, metrics, lease_s)
        self._reaper = Reaper(driven.store, metrics, mender, lease_s, clock=lambda: self.now)
        self._reaper.heard()

    def hears_until(self, now):
        """Let PostgreSQL answer each second until then."""
        while self.now < now:
            self.now = min(self.now + 1.0, now)
            self._reaper.heard()

    def reap(self):
        """Run once; returns the seconds until it wants to run again."""
        return self._driven.call(self._reaper.reap())


STARTED = "select clock_timestamp() - pg_postmaster_start_time() > %s * interval '1 s' as long_ago"


@pytest.fixture
def reaper(db, driven):
    """Give a reaper whose server started long ago, since a new server gives a grace of its own."""
    wait_for(
        lambda: db.execute(STARTED, [SETTLE_GRACE_S]).fetchone().long_ago, SETTLE_GRACE_S + LIMIT_S
    )
    return LeadersReaper(driven)


@pytest.fixture
def settled_in(reaper):
    """Give a reaper that has led for long enough."""
    reaper.hears_until(SETTLE_GRACE_S)
    return reaper


def test_what_passed_is_taken_back_and_the_next_lease_is_waited_for(db, settled_in):
    passed = put(db, "sending", lease_until=ago(db, "1 second"))
    claim(db, enqueue(db), lease="1 hour")
    assert 3000 < settled_in.reap() <= 3600
    assert status(db, passed) == "queued"


def test_when_nobody_has_a_lease_it_comes_before_a_new_one_can_pass(db, settled_in, driven):
    assert settled_in.reap() == driven.settings.lease_s


def test_leases_that_pass_one_after_another_do_not_make_it_spin(db, settled_in, monkeypatch):
    monkeypatch.setattr("service.dispatch.reaper.REAP_PAUSE_MIN_S", 3600.0)
    claim(db, enqueue(db), lease="1 minute")
    assert settled_in.reap() == 3600.0


def test_a_row_that_somebody_holds_locked_does_not_make_it_spin(db, other_db, settled_in):
    held = put(db, "sending", lease_until=ago(db, "1 second"))
    with other_db.transaction():
        other_db.execute("select from notify.notifications where id = %s for update", [held])
        assert settled_in.reap() == REAP_PAUSE_MIN_S
    settled_in.reap()
    assert status(db, held) == "queued"


def test_who_has_just_taken_the_lead_lets_the_living_settle_first(db, reaper):
    id = put(db, "sending", lease_until=ago(db, "1 hour"))
    reaper.hears_until(1.0)
    assert reaper.reap() == SETTLE_GRACE_S - 1.0
    assert status(db, id) == "sending"
    reaper.hears_until(SETTLE_GRACE_S)
    reaper.reap()
    assert status(db, id) == "queued"


def test_after_a_silence_nothing_is_reaped_until_the_living_had_time_to_settle(db, settled_in):
    id = put(db, "sending", lease_until=ago(db, "1 second"))
    settled_in.now += STALL_S + 1.0  # PostgreSQL or this process stood still
    assert settled_in.reap() == SETTLE_GRACE_S
    assert status(db, id) == "sending"
    settled_in.hears_until(settled_in.now + SETTLE_GRACE_S)
    settled_in.reap()
    assert status(db, id) == "queued"


def test_a_row_that_is_settled_in_the_grace_is_not_reaped(db, settled_in):
    id = put(db, "sending", lease_until=ago(db, "1 second"))
    settled_in.now += STALL_S + 1.0
    settled_in.reap()
    change(db, id, status="sent", lease_until=None, claimed_by=None, settled_at=ago(db, "0"))
    settled_in.hears_until(settled_in.now + SETTLE_GRACE_S)
    settled_in.reap()
    assert status(db, id) == "sent"


def test_silences_that_follow_each_other_do_not_put_the_reaper_off_for_as_long_as_they_do(
    db, settled_in
):
    id = put(db, "sending", lease_until=ago(db, "1 second"))
    for left_s in (SETTLE_GRACE_S, SETTLE_AGAIN_S, SETTLE_AGAIN_S, SETTLE_AGAIN_S):
        settled_in.now += STALL_S + 1.0
        assert settled_in.reap() == left_s
        assert status(db, id) == "sending"
        settled_in.hears_until(settled_in.now + 3)
    settled_in.hears_until(settled_in.now + SETTLE_AGAIN_S - 3)
    settled_in.reap()
    assert status(db, id) == "queued"


def test_a_silence_long_after_the_last_one_has_a_grace_of_its_own(db, settled_in):
    put(db, "sending", lease_until=ago(db, "1 second"))
    for _ in range(2):
        settled_in.now += STALL_S + 1.0
        assert settled_in.reap() == SETTLE_GRACE_S
        settled_in.hears_until(settled_in.now + SETTLE_GRACE_S)


def test_each_lease_that_passed_has_a_line_in_the_log(db, reaper, transitions):
    again, dead = [
        put(db, "sending", attempt=attempt, lease_until=ago(db, "1 second")) for attempt in (1, 4)
    ]
    reaper.hears_until(SETTLE_GRACE_S + 1)
    reaper.reap()
    assert sorted(transitions, key=lambda record: str(record[1]["attempt"])) == [
        ("reaped", {"notification_id": again, "attempt": 1, "status": "queued"}),
        ("reaped", {"notification_id": dead, "attempt": 4, "status": "failed"}),
    ]


def test_what_is_taken_back_says_its_trace(db, settled_in, transitions):
    past = ago(db, "1 second")
    traced = put(db, "sending", lease_until=past, traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    untraced = put(db, "sending", lease_until=past)
    settled_in.reap()
    rows = {row["notification_id"]: row.get("trace_id") for _, row in transitions}
    assert rows == {traced: "a" * 32, untraced: None}


def test_a_line_is_written_though_nobody_answers_of_which_trace(
    db, settled_in, transitions, driven, monkeypatch
):
    async def away(ids):
        raise DatabaseAway("gone")

    monkeypatch.setattr(driven.store, "trace_ids", away)
    id = put(db, "sending", lease_until=ago(db, "1 second"))
    with pytest.raises(DatabaseAway):
        settled_in.reap()
    assert [row["notification_id"] for _, row in transitions] == [id]
