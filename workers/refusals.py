"""Rows that PostgreSQL does not let us move: logged by id, and left alone for a while."""

import time
from collections.abc import Iterable
from typing import NamedTuple

from service.logs import logs
from service.metrics import WorkerMetrics
from service.traceparent import trace_id

LEFT_ALONE_S = 60.0
KNOWN_MAX = 1000


class Refusal(NamedTuple):
    """One row that a call could not move. `attempt` None: it was to be claimed.

    `traceparent` None: it has none, or it was claimed or released, where nobody has it at hand.
    """

    id: str
    attempt: int | None
    error: str
    traceparent: str | None = None


class Refusals:
    """The refusals that one thread met. A row is logged at most once in LEFT_ALONE_S."""

    def __init__(self, metrics: WorkerMetrics) -> None:
        self._metrics = metrics
        self._until: dict[str, float] = {}  # id as text -> when it may be looked at again

    def known(self) -> set[str]:
        """Return the ids that are to be left alone now."""
        self._forget()
        return set(self._until)

    def record(self, call: str, refusals: Iterable[Refusal]) -> None:
        """Count and log each, and remember it."""
        self._forget()
        news = [refusal for refusal in refusals if refusal.id not in self._until]
        self._metrics.refused.labels(call).inc(len(news))
        rows = (log_row(refusal, call) for refusal in news)
        logs.transitions("refused_by_database", rows, "ERROR")
        until = time.monotonic() + LEFT_ALONE_S
        self._until |= {refusal.id: until for refusal in news[: KNOWN_MAX - len(self._until)]}

    def _forget(self) -> None:
        """Forget those whose time is over."""
        if self._until:
            now = time.monotonic()
            self._until = {id: until for id, until in self._until.items() if until > now}


def log_row(refusal: Refusal, call: str) -> logs.Row:
    """Name the fields of the log line of one refusal."""
    row: dict[str, object] = {
        "notification_id": refusal.id,
        "attempt": refusal.attempt,
        "error": refusal.error,
        "call": call,
    }
    if refusal.traceparent is not None:
        row["trace_id"] = trace_id(refusal.traceparent)
    return row
