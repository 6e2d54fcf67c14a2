"""Any order of moves by any number of workers, operators and hours ends in the same four lines."""

from collections import Counter
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.ledger import (
    cancel,
    claim,
    counted,
    ended,
    enqueue,
    fold_slo,
    reap,
    redrive,
    release,
    settle,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def db(shared_db):
    return shared_db


WORKERS = ("w:1", "w:2", "w:3")
NOT_NOW = ("throttled", "unreachable", "deferred")
OUTCOMES = ("sent", "permanent", "temporary", "unknown", "expired", *NOT_NOW)
CHANNELS = ("log", "webhook")
TERMINAL = {"sent", "failed", "expired", "cancelled"}
DEFAULT_ATTEMPTS = 3

# The clock moves by hours, and everything else happens in between: how long a test really takes
# never decides what is due, lapsed or expired, so the model knows it exactly.
HOUR_S = 3600
LEASE_S = 1.5 * HOUR_S
PATIENCE_S = 2.5 * HOUR_S
# Half of the first is the shortest wait: ten minutes, which no test may take.
WAITS: dict[str, Any] = {"schedule": [1200, 3000], "patience": f"{PATIENCE_S} seconds"}
LATER_S = 0.5 * HOUR_S  # after such a wait, and of what else is put off
REDRIVE_STEP_S = (
    0.3 * HOUR_S
)  # between two redriven rows; no multiple of it is an hour, of up to nine
ATTEMPTS_AGAIN = 2


@dataclass
class Known:
    """What must be true of one notification; times are seconds of the model's clock."""

    channel: str
    due_at: float
    expires_at: float
    max_attempts: int | None
    status: str = "queued"
    attempt: int = 0
    lease_until: float = 0
    last_error_code: str | None = None
    first_claimed_at: float | None = None


# A choice among rows is made with dice: what Hypothesis draws must not depend on what is there.
DICE = st.integers(0, 2**32 - 1)


def some_of(values, dice):
    """Choose up to six, in any order."""
    random = Random(dice)
    return random.sample(values, random.randint(1, min(6, len(values)))) if values else []


class Ledger(RuleBasedStateMachine):
    """The road as workers, a reaper, an operator and time may walk it, and a model that knows."""

    def __init__(self, db):
        super().__init__()
        self.db = db
        db.execute(
            "truncate notify.notifications, notify.attempts, notify.slo_deltas, notify.slo_daily"
        )
        self.now = 0.0
        self.model = {}  # id -> Known
        self.hands = {w: [] for w in WORKERS}
        self.old = []  # pairs that ended: stale from now on
        self.ended = Counter()  # (id, attempt) -> how often it ended
        self.released = Counter()  # id -> claims given back

    @initialize()
    def some_have_failed_and_some_are_queued(self):
        self.enqueue(n=2, priority=2, max_attempts=None, expires_in_h=None, channel="webhook")
        self.enqueue(n=2, priority=1, max_attempts=5, expires_in_h=2.5, channel="log")
        for t in settle(self.db, self.claim_now("w:first", 4, None), "permanent"):
            self.end(t, "200", due_in_s=0)
        self.enqueue(n=3, priority=2, max_attempts=1, expires_in_h=None, channel="webhook")

    @rule(
        n=st.integers(1, 4),
        priority=st.integers(0, 3),
        max_attempts=st.sampled_from([None, 1, 2, 5]),
        expires_in_h=st.sampled_from([None, None, 0.5, 2.5]),
        channel=st.sampled_from(CHANNELS),
    )
    def enqueue(self, n, priority, max_attempts, expires_in_h, channel):
        at = "select clock_timestamp() + %s * interval '1 hour' as t"
        columns = {
            "channel": channel,
            "recipient": "https://example.org/",
            "priority": priority,
            "max_attempts": max_attempts,
            "expires_at": self.db.execute(at, [expires_in_h]).fetchone().t,
        }
        expires_at = float("inf") if expires_in_h is None else self.now + expires_in_h * HOUR_S
        for id in enqueue(self.db, n, **columns):
            self.model[id] = Known(channel, self.now, expires_at, max_attempts)

    @rule(worker=st.sampled_from(WORKERS), limit=st.integers(1, 8), by_id=st.booleans())
    def claim(self, worker, limit, by_id):
        claimable = {i for i, k in self.model.items() if self.is_due(k)}
        ids = list(self.model) if by_id else None
        got = self.claim_now(worker, limit, ids)
        assert {g.id for g in got} <= claimable
        assert len(got) == min(limit, len(claimable))

    @rule(worker=st.sampled_from(WORKERS), outcome=st.sampled_from(OUTCOMES), dice=DICE)
    def settle(self, worker, outcome, dice):
        pairs = self.take(worker, dice)
        current = {(p.id, p.attempt) for p in pairs if self.is_current(p)}
        told = settle(self.db, pairs, outcome, worker=worker, **WAITS)
        assert {(t.id, t.attempt) for t in told} == current
        for t in told:
            assert t.counted == (not self.holds_back(self.model[t.id], outcome))
            self.model[t.id].max_attempts += not t.counted
            assert t.status == self.status_after(self.model[t.id], outcome)
            self.end(t, None if outcome == "sent" else "200", due_in_s=LATER_S)

    @rule(outcome=st.sampled_from(OUTCOMES))
    def somebody_settles_and_releases_what_is_over(self, outcome):
        assert settle(self.db, self.old, outcome) == []
        assert release(self.db, self.old) == []

    @rule(worker=st.sampled_from(WORKERS), later=st.booleans(), dice=DICE)
    def release(self, worker, later, dice):
        pairs = self.take(worker, dice)
        current = {(p.id, p.attempt) for p in pairs if self.is_current(p)}
        told = release(self.db, pairs, "30 minutes" if later else "0")
        assert {(t.id, t.attempt) for t in told} == current
        for t in told:
            known = self.model[t.id]
            known.status, known.due_at = "queued", self.now + later * LATER_S
            known.max_attempts += 1
            self.released[t.id] += 1
            self.old.append(SimpleNamespace(id=t.id, attempt=t.attempt))

    @rule(worker=st.sampled_from(WORKERS))
    def a_worker_is_killed(self, worker):
        self.hands[worker].clear()

    @rule(hours=st.integers(1, 3))
    def the_clock_moves(self, hours):
        self.now += hours * HOUR_S
        self.db.execute(
            "update notify.notifications set due_at = due_at - n.passed,"
            " lease_until = lease_until - n.passed, expires_at = expires_at - n.passed,"
            " first_claimed_at = first_claimed_at - n.passed"
            " from (select %s * interval '1 hour' as passed) n",
            [hours],
        )

    @rule(limit=st.integers(1, 10))
    def reap(self, limit):
        lapsed = {i for i, k in self.model.items() if self.is_lapsed(k)}
        told = reap(self.db, limit)
        assert {t.id for t in told} <= lapsed
        assert len(told) == min(limit, len(lapsed))
        for t in told:
            known = self.model[t.id]
            assert t.status == ("queued" if known.attempt < known.max_attempts else "failed")
        self.end_reaped(told)

    @rule(dice=DICE)
    def cancel(self, dice):
        ids = some_of(sorted(self.model), dice)
        queued = {i for i in ids if self.model[i].status == "queued"}
        told = cancel(self.db, ids)
        assert {t.id for t in told if t.was_cancelled} == queued
        for id in queued:
            self.model[id].status = "cancelled"
        assert {t.id: t.status for t in told} == {i: self.model[i].status for i in ids}

    @rule(limit=st.integers(1, 9), dice=DICE)
    def redrive_some(self, limit, dice):
        ids = some_of(sorted(self.model), dice)
        self.redrive({"ids": ids}, set(ids), limit)

    @rule(limit=st.integers(1, 9), channel=st.sampled_from(CHANNELS))
    def redrive_a_channel(self, limit, channel):
        meant = {i for i, k in self.model.items() if k.channel == channel}
        self.redrive({"channel": channel}, meant, limit)

    def redrive(self, which, meant, limit):
        failed = sorted(i for i in meant if self.model[i].status == "failed")
        alive = [i for i in failed if self.model[i].expires_at > self.now]
        counted = redrive(self.db, **which, limit=limit, dry_run=True)
        done = redrive(
            self.db, **which, limit=limit, rate=1 / REDRIVE_STEP_S, attempts=ATTEMPTS_AGAIN
        )
        chosen = alive[:limit]
        assert done == (len(chosen), len(chosen), counted.expired, len(alive) > limit)
        assert counted == done._replace(redriven=0)
        assert done.more or done.expired == len(failed) - len(alive)
        for place, id in enumerate(chosen):
            known = self.model[id]
            known.status, known.due_at = "queued", self.now + place * REDRIVE_STEP_S
            known.max_attempts = known.attempt + ATTEMPTS_AGAIN
            known.first_claimed_at = None

    @rule(limit=st.integers(1, 9))
    def fold_slo(self, limit):
        fold_slo(self.db, limit)

    @invariant()
    def the_service_level_counts_what_has_ended(self):
        assert counted(self.db) == ended(self.db)

    @invariant()
    def the_ledger_is_as_the_model_says(self):
        rows = self.db.execute(
            "select id, status, attempt, max_attempts, due_at <= clock_timestamp() as is_due,"
            " last_error_code from notify.notifications"
        ).fetchall()
        assert {r.id: (r.status, r.attempt, r.max_attempts, r.last_error_code) for r in rows} == {
            i: (k.status, k.attempt, k.max_attempts, k.last_error_code)
            for i, k in self.model.items()
        }
        assert {r.id for r in rows if r.status == "queued" and r.is_due} == {
            i for i, k in self.model.items() if self.is_due(k)
        }
        assert all(r.attempt <= (r.max_attempts or 0) for r in rows)
        written = self.db.execute("select notification_id as id, attempt from notify.attempts")
        assert Counter((r.id, r.attempt) for r in written) == self.ended

    def teardown(self):
        """Let everything come to its end: each hour costs every row that is left an attempt."""
        for _ in range(sum(k.max_attempts or 5 for k in self.model.values()) + 30):
            if not {k.status for k in self.model.values()} - TERMINAL:
                break
            self.the_clock_moves(3)
            while reaped := reap(self.db, 100):
                self.end_reaped(reaped)
            got = self.claim_now("w:last", 100, None)
            told = settle(self.db, [g for g in got if g.status == "sending"], "temporary")
            for t in told:
                self.end(t, "200", due_in_s=LATER_S)
        self.nothing_is_lost_stuck_over_its_limit_or_ended_twice()

    def nothing_is_lost_stuck_over_its_limit_or_ended_twice(self):
        rows = self.db.execute(
            "select id, status, attempt, max_attempts from notify.notifications"
        ).fetchall()
        assert {r.id for r in rows} == set(self.model)
        assert {r.status for r in rows} <= TERMINAL
        ended = Counter(id for id, _ in self.ended)
        for r in rows:
            assert ended[r.id] + self.released[r.id] == r.attempt <= (r.max_attempts or 0)
        assert set(self.ended.values()) <= {1}

    def claim_now(self, worker, limit, ids):
        got = claim(
            self.db, ids, limit=limit, worker=worker, max_attempts=DEFAULT_ATTEMPTS,
            lease=f"{LEASE_S} seconds",
        )  # fmt: skip
        for g in sorted(got):
            known = self.model[g.id]
            assert g.status == ("expired" if known.expires_at <= self.now else "sending")
            known.status = g.status
            known.max_attempts = known.max_attempts or DEFAULT_ATTEMPTS
            if known.first_claimed_at is None:
                known.first_claimed_at = self.now
            if g.status == "sending":
                known.attempt += 1
                known.lease_until = self.now + LEASE_S
                assert g.attempt == known.attempt
                self.hands.get(worker, []).append(SimpleNamespace(id=g.id, attempt=g.attempt))
        return got

    def take(self, worker, dice):
        """Take all or some of what a worker has in hand; it may be stale long since."""
        hand = self.hands[worker]
        pairs = hand if dice % 2 else some_of(hand, dice)
        self.hands[worker] = [pair for pair in hand if pair not in pairs]
        return pairs

    def is_current(self, pair):
        known = self.model[pair.id]
        return known.status == "sending" and known.attempt == pair.attempt

    def is_due(self, known):
        return known.status == "queued" and known.due_at <= self.now

    def is_lapsed(self, known):
        return known.status == "sending" and known.lease_until <= self.now

    def holds_back(self, known, outcome):
        return outcome in NOT_NOW and self.now < known.first_claimed_at + PATIENCE_S

    def status_after(self, known, outcome):
        if outcome in ("sent", "expired"):
            return outcome
        if outcome == "permanent" or known.attempt >= known.max_attempts:
            return "failed"
        return "expired" if known.expires_at <= self.now else "queued"

    def end_reaped(self, reaped):
        """What lost its lease twice running comes back alone: in seconds, here in half an hour."""
        for t in reaped:
            again = self.model[t.id].last_error_code == "lease_expired"
            self.end(t, "lease_expired", due_in_s=LATER_S if again else 0)
            if again:
                self.db.execute(
                    "update notify.notifications set due_at = due_at + interval '15 minutes'"
                    " where id = %s",
                    [t.id],
                )

    def end(self, told, code, *, due_in_s):
        assert told.status in {"queued", "sent", "failed", "expired"}
        known = self.model[told.id]
        assert known.status == "sending" and known.attempt == told.attempt
        known.status, known.due_at = told.status, self.now + due_in_s
        known.last_error_code = code
        self.ended[(told.id, told.attempt)] += 1
        self.old.append(SimpleNamespace(id=told.id, attempt=told.attempt))


def test_nothing_is_lost_stuck_or_settled_twice_whatever_the_order_of_moves(db):
    db.execute("set synchronous_commit = off")
    run_state_machine_as_test(
        lambda: Ledger(db),  # type: ignore[arg-type]  # it calls what it is given
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            suppress_health_check=list(HealthCheck),
            database=None,
            # To make a failure shorter takes minutes, and forty steps can be read.
            phases=[Phase.generate],
            report_multiple_bugs=False,
        ),
    )
