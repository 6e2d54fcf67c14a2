"""Receivers with a limit, and rows on their way to them: a simulation whose clock is data."""

import heapq
import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from msgspec.structs import replace

from service.model.words import Outcome
from tests.unit.workers.claims import a_claim
from workers.claim import Verdict
from workers.paces import Paces

TOOK_S = 0.02
SENT = Verdict(outcome=Outcome.SENT, code="200")


@dataclass
class FixedWindow:
    """Take `limit` requests in each `window_s`; `retry_after`: say when the next one begins."""

    limit: int
    window_s: float = 1.0
    retry_after: bool = False
    taken: Counter[Any] = field(default_factory=Counter)

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


@dataclass
class Closed:
    """Throttle everything, until a time or for ever."""

    until: float = math.inf

    def answer(self, now):
        return throttled() if now < self.until else SENT


def throttled(retry_after_s=None):
    return Verdict(outcome=Outcome.THROTTLED, code="429", retry_after_s=retry_after_s)


class Road:
    """Rows that are claimed when they are due, sent or parked, and settled.

    `attempts`: how many answers count (None: none of those that throttle does).
    """

    def __init__(self, attempts=None):
        self.paces = Paces()
        self.attempts = attempts or math.inf
        self.now = 0.0
        self.events = []
        self.order = count()
        self.sends = Counter()
        self.parks = Counter()
        self.arrived = {}
        self.failed = set()

    def add(self, claims, name, receiver, at=0.0):
        """Let claims become due at a time."""
        for claim in claims:
            self.at(at, self.due, claim, name, receiver)

    def at(self, when, act, *arguments):
        heapq.heappush(self.events, (when, next(self.order), act, arguments))

    def due(self, claim, name, receiver):
        parked = self.paces.park(claim, name, self.now)
        if parked is not None:
            self.parks[claim.id] += 1
            self.at(self.now + parked.delay_s, self.due, claim, name, receiver)
            return
        self.sends[claim.id] += 1
        verdict = receiver.answer(self.now)
        self.at(self.now + TOOK_S, self.land, claim, name, receiver, verdict, self.now)

    def land(self, claim, name, receiver, verdict, started_at):
        verdict = self.paces.report(claim, name, verdict, started_at, self.now)
        if verdict.outcome is Outcome.SENT:
            self.arrived[claim.id] = self.now
        elif self.sends[claim.id] >= self.attempts:
            self.failed.add(claim.id)
        else:
            wait_s = max(1.0, verdict.retry_after_s or 0.0)  # as the ledger bounds it
            self.at(self.now + wait_s, self.due, claim, name, receiver)

    def run(self, until):
        """Let time pass until nothing is left to do, but not longer."""
        while self.events and self.events[0][0] <= until:
            self.now, _, act, arguments = heapq.heappop(self.events)
            act(*arguments)


def rows(number, url="https://limited.example/hook", of="row", **fields):
    claim = a_claim({}, recipient=url, **fields)
    return [replace(claim, id=f"{of}-{n}") for n in range(number)]
