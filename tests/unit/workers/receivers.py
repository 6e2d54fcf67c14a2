"""Receivers with a limit, and rows on their way to them: a simulation whose clock is data."""

import heapq
from collections import Counter
from dataclasses import dataclass, field, replace

from service.model import Outcome
from tests.unit.workers.claims import a_claim
from workers.claim import Verdict
from workers.pace import Paces

TOOK_S = 0.02
SENT = Verdict(outcome=Outcome.SENT, code="200")


@dataclass
class FixedWindow:
    """Take `limit` requests in each `window_s`; `retry_after`: say when the next one begins."""

    limit: int
    window_s: float = 1.0
    retry_after: bool = False
    taken: Counter = field(default_factory=Counter)

    def answer(self, now):
        window = now // self.window_s
        if self.taken[window] < self.limit:
            self.taken[window] += 1
            return SENT
        return throttled(self.window_s if self.retry_after else None)


@dataclass
class TokenBucket:
    """Take `per_s` on average, `size` at once."""

    per_s: float
    size: float
    retry_after: bool = False
    tokens: float = 0.0
    at: float = 0.0

    def answer(self, now):
        self.tokens = min(self.size, self.tokens + (now - self.at) * self.per_s)
        self.at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return SENT
        return throttled(1.0 if self.retry_after else None)


def throttled(retry_after_s=None):
    return Verdict(outcome=Outcome.THROTTLED, code="429", retry_after_s=retry_after_s)


class Road:
    """Rows that are claimed when they are due, sent or parked, and settled; no row fails."""

    def __init__(self, paces=None):
        self.paces = paces or Paces()
        self.now = 0.0
        self.events = []  # (when, number, what, row, its verdict)
        self.number = 0
        self.sends = Counter()
        self.parks = Counter()
        self.arrived = {}

    def add(self, rows, name, receiver, at=0.0):
        """Let rows become due; a row is its claim."""
        for row in rows:
            self.at(at, self.due, row, name, receiver)

    def at(self, when, what, *given):
        self.number += 1
        heapq.heappush(self.events, (when, self.number, what, given))

    def due(self, row, name, receiver):
        parked = self.paces.parked(row, name, self.now)
        if parked is not None:
            self.parks[row.id] += 1
            self.at(self.now + parked.delay_s, self.due, row, name, receiver)
            return
        self.sends[row.id] += 1
        self.at(self.now + TOOK_S, self.land, row, name, receiver, receiver.answer(self.now))

    def land(self, row, name, receiver, verdict):
        verdict = self.paces.report(row, name, verdict, self.now - TOOK_S, self.now)
        if verdict.outcome is Outcome.SENT:
            self.arrived[row.id] = self.now
        else:
            self.at(self.now + verdict.retry_after_s, self.due, row, name, receiver)

    def run(self, until):
        """Let time pass; return when nothing is left to do, or at the end of it."""
        while self.events and self.events[0][0] <= until:
            self.now, _, what, given = heapq.heappop(self.events)
            what(*given)
        return self.now


def rows(count, url="https://limited.example/hook", of="row", **given):
    made = a_claim({}, recipient=url, **given)
    return [replace(made, id=f"{of}-{n}") for n in range(count)]
