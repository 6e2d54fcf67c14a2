"""Where rows go whose idempotency key may be in somebody's open transaction.

Who holds a key for long keeps a batch waiting. So a producer who was met doing that has a queue
beside the road for a while, for rows with keys; whatever waits there, waits for its own kind.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol

from service.api.body import NewNotification
from service.model.notification import Accepted

ASIDE_S = 10.0


class Queue(Protocol):
    """What inserts the rows: a Batcher, which knows this module."""

    def submit(
        self,
        row: bytes,
        notification: NewNotification,
        producer: str | None = None,
        trace: str | None = None,
    ) -> asyncio.Future[Accepted]:
        """Queue one row."""

    def take_over(self, rows: Iterable[Any]) -> None:
        """Queue rows that another one was asked to insert."""

    async def close(self) -> None:
        """Wait until all requests are answered."""


class Aside:
    """The queue beside the road, and whose rows go there."""

    def __init__(self, queue: Queue) -> None:
        self.submit = queue.submit
        self.take_over = queue.take_over
        self.close = queue.close
        self._now = asyncio.get_running_loop().time
        self._until: dict[str | None, float] = {}  # by producer

    def wants(self, notification: NewNotification, producer: str | None) -> bool:
        """Return whether a row goes here now."""
        if not self._until or notification.idempotency_key is None:
            return False
        return self._until.get(producer, 0.0) > self._now()

    def take(self, rows: Iterable[Any], producer: str | None) -> None:
        """Take over the rows of a producer that met a key in flight."""
        now = self._now()
        self._until = {name: until for name, until in self._until.items() if until > now}
        self._until[producer] = now + ASIDE_S
        self.take_over(rows)
