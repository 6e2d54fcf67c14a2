"""Rows that PostgreSQL does not let us move: logged by id, and left alone for a while."""

import time
from collections.abc import Iterable
from typing import NamedTuple

from service.logs import logs
from service.metrics import WorkerMetrics

LEFT_ALONE_S = 60.0
KNOWN_MAX = 1000


class Refusal(NamedTuple):
    """One row that a call could not move. `attempt` None: it was to be claimed."""

    id: str
    attempt: int | None
    error: str


class Refusals:
    """The refusals that one thread met. A row is logged at most once in LEFT_ALONE_S."""

    def __init__(self, metrics: WorkerMetrics) -> None:
        self._metrics = metrics
        self._until: dict[str, float] = {}  # id as text -> when it may be looked at again

    def known(self) -> list[str]:
        """Return the ids that are to be left alone now."""
        if not self._until:
            return []
        now = time.monotonic()
        self._until = {id: until for id, until in self._until.items() if until > now}
        return list(self._until)

    def record(self, call: str, refusals: Iterable[Refusal]) -> None:
        """Count and log each, and remember it."""
        news = [refusal for refusal in refusals if refusal.id not in self._until]
        self._metrics.refused.labels(call).inc(len(news))
        rows = ({"notification_id": r.id, "attempt": r.attempt, "error": r.error} for r in news)
        logs.transitions("refused_by_database", ({**row, "call": call} for row in rows), "ERROR")
        until = time.monotonic() + LEFT_ALONE_S
        self._until |= {refusal.id: until for refusal in news[: KNOWN_MAX - len(self._until)]}
