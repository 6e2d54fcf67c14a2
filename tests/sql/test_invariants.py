"""Any order of moves by any number of workers ends in the same four lines."""

from collections import Counter
from datetime import timedelta
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.ledger import claim, enqueue, reap, release, settle


@pytest.fixture
def db(shared_db):
    return shared_db


WORKERS = ("w:1", "w:2", "w:3")
OUTCOMES = ("sent", "permanent", "temporary", "throttled", "unknown", "expired")
TERMINAL = {"sent", "failed", "expired"}


class Ledger(RuleBasedStateMachine):
    """The road as three workers, a reaper and time may walk it; `model` is what must be true."""

    def __init__(self, db):
        super().__init__()
        self.db = db
        db.execute("truncate notify.notifications, notify.attempts")
        self.model = {}  # id -> status
        self.hands = {w: [] for w in WORKERS}
        self.old = []  # pairs that ended: stale from now on
        self.ended = Counter()  # (id, attempt) -> how often it ended
        self.released = Counter()  # id -> claims given back

    @rule(
        n=st.integers(1, 5),
        priority=st.integers(0, 3),
        max_attempts=st.sampled_from([None, 1, 2, 5]),
    )
    def enqueue(self, n, priority, max_attempts):
        for id in enqueue(self.db, n, priority=priority, max_attempts=max_attempts):
            self.model[id] = "queued"

    @rule(worker=st.sampled_from(WORKERS), limit=st.integers(1, 8), by_id=st.booleans())
    def claim(self, worker, limit, by_id):
        ids = list(self.model) if by_id else None
        for got in claim(self.db, ids, limit=limit, worker=worker, max_attempts=3):
            assert self.model[got.id] == "queued"
            self.model[got.id] = got.status
            if got.status == "sending":
                self.hands[worker].append(SimpleNamespace(id=got.id, attempt=got.attempt))

    @rule(worker=st.sampled_from(WORKERS), outcome=st.sampled_from(OUTCOMES), data=st.data())
    def settle(self, worker, outcome, data):
        pairs = self.take(worker, data)
        current = {(p.id, p.attempt) for p in pairs if self.is_current(p)}
        told = settle(self.db, pairs, outcome, worker=worker)
        assert {(t.id, t.attempt) for t in told} == current
        for t in told:
            self.end(t)

    @rule(outcome=st.sampled_from(OUTCOMES))
    def settle_what_is_over(self, outcome):
        assert settle(self.db, self.old, outcome) == []
        assert release(self.db, self.old) == []

    @rule(worker=st.sampled_from(WORKERS), data=st.data())
    def release(self, worker, data):
        pairs = self.take(worker, data)
        current = {(p.id, p.attempt) for p in pairs if self.is_current(p)}
        told = release(self.db, pairs)
        assert {(t.id, t.attempt) for t in told} == current
        for t in told:
            self.model[t.id] = "queued"
            self.released[t.id] += 1

    @rule(worker=st.sampled_from(WORKERS))
    def a_worker_is_killed(self, worker):
        self.hands[worker].clear()

    @rule()
    def leases_pass(self):
        self.db.execute(
            "update notify.notifications set lease_until = clock_timestamp()"
            " - interval '1 second' where status = 'sending'"
        )

    @rule(limit=st.integers(1, 10))
    def reap(self, limit):
        for t in reap(self.db, limit):
            assert self.model[t.id] == "sending"
            self.end(t)

    @rule()
    def time_passes(self):
        self.db.execute(
            "update notify.notifications set due_at = clock_timestamp() where status = 'queued'"
        )

    @rule()
    def something_expires(self):
        self.db.execute(
            "update notify.notifications set expires_at = clock_timestamp()"
            " where id = (select id from notify.notifications"
            " where status in ('queued', 'sending') order by id limit 1)"
        )

    @invariant()
    def the_ledger_is_as_the_model_says(self):
        rows = self.db.execute(
            "select id, status, attempt, max_attempts from notify.notifications"
        ).fetchall()
        assert {r.id: r.status for r in rows} == self.model
        assert all(r.attempt <= (r.max_attempts or 0) for r in rows)
        written = self.db.execute("select notification_id as id, attempt from notify.attempts")
        assert Counter((r.id, r.attempt) for r in written) == self.ended

    def teardown(self):
        """Let everything come to its end: each round costs every row one attempt at least."""
        for _ in range(sum(1 for s in self.model.values() if s not in TERMINAL) * 10 + 1):
            self.leases_pass()
            while told := reap(self.db, 100):
                for t in told:
                    self.end(t)
            self.time_passes()
            got = claim(self.db, worker="w:last", max_attempts=3)
            for g in got:
                self.model[g.id] = g.status
            for t in settle(self.db, [g for g in got if g.status == "sending"], "temporary"):
                self.end(t)
            if not set(self.model.values()) - TERMINAL:
                break
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
            assert ended[r.id] <= r.max_attempts - self.released[r.id] if r.max_attempts else True
        assert set(self.ended.values()) <= {1}

    def take(self, worker, data):
        hand = self.hands[worker]
        n = data.draw(st.integers(0, len(hand)))
        self.hands[worker] = hand[n:]
        return hand[:n]

    def is_current(self, pair):
        return (
            self.model[pair.id] == "sending"
            and not self.ended[(pair.id, pair.attempt)]
            and (pair.attempt == self.attempt_of(pair.id))
        )

    def attempt_of(self, id):
        query = "select attempt from notify.notifications where id = %s"
        return self.db.execute(query, [id]).fetchone().attempt

    def end(self, told):
        assert told.status in {"queued", "sent", "failed", "expired"}
        self.model[told.id] = told.status
        self.ended[(told.id, told.attempt)] += 1
        self.old.append(SimpleNamespace(id=told.id, attempt=told.attempt))


def test_nothing_is_lost_stuck_or_settled_twice_whatever_the_order_of_moves(db):
    db.execute("set synchronous_commit = off")
    run_state_machine_as_test(
        lambda: Ledger(db),
        settings=settings(
            max_examples=30,
            stateful_step_count=30,
            deadline=timedelta(seconds=5),
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
