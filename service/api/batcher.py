"""Requests of the same moment share one INSERT, and each is answered after its commit.

There is no timer: an INSERT of all waiting rows starts whenever fewer than IN_FLIGHT_MAX are under
way. A lone request does not wait for others; under load, batches grow by themselves.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from typing import cast

from service import traceparent
from service.api.aside import Aside
from service.api.body import NewNotification
from service.api.inserter import Inserter, Reply, Waiting, not_tried
from service.errors import DatabaseAway
from service.http.problems import Problem
from service.ledger.enqueue_store import EnqueueStore
from service.logs import logs
from service.logs.outage import Outage
from service.metrics import ApiMetrics
from service.model.notification import Accepted

IN_FLIGHT_MAX = 1  # with two, batches are smaller, and a request costs 12 % more CPU
BATCH_ROWS_MAX = 500
BATCH_BYTES_MAX = 4 * 1024 * 1024
WAITING_ROWS_MAX = 5000
WAITING_BYTES_MAX = 32 * 1024 * 1024
DEADLINE_S = 4.5  # a client gets an answer within 5 s

Flush = asyncio.Task[None]


class Batcher:
    """The rows that wait for their INSERT, bounded by number and bytes."""

    def __init__(
        self,
        store: EnqueueStore,
        metrics: ApiMetrics,
        *,
        rows_max: int = BATCH_ROWS_MAX,
        bytes_max: int = BATCH_BYTES_MAX,
        outage: Outage | None = None,
        aside: Aside | None = None,
    ) -> None:
        """`rows_max`, `bytes_max`: of one INSERT; `outage`: shared with another batcher.

        `aside`: where rows go that would wait for a key in flight; None: they wait here.
        """
        self._metrics = metrics
        self._rows_max = rows_max
        self._bytes_max = bytes_max
        self._outage = outage or Outage("postgresql", role="api")
        self._aside = aside
        self._inserter = Inserter(store, self._outage, aside)
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Waiting] = deque()  # in the order of their `until`
        self._waiting_bytes = 0
        self._flushes: dict[Flush, asyncio.TimerHandle | None] = {}  # those with requests to answer
        self._running: set[Flush] = set()  # all, also those with nobody waiting

    def submit(
        self,
        row: bytes,
        notification: NewNotification,
        producer: str | None = None,
        trace: str | None = None,
    ) -> asyncio.Future[Accepted]:
        """Queue one row, a JSON object, and return its future: Accepted, once it is committed.

        `producer`: who asks; None: anybody. `trace`: the row's traceparent. The future raises
        Problem or Refused; this call raises Problem when too much is waiting.
        """
        if self._aside and self._aside.wants(notification, producer):
            return self._aside.submit(row, notification, producer, trace)
        if not self.has_room(1, len(row)):
            raise Problem("overloaded")
        until = self._loop.time() + DEADLINE_S
        waiting = Waiting(row, notification, until, self._loop.create_future(), producer, trace)
        self._waiting.append(waiting)
        self._waiting_bytes += len(row)
        self._start_flush()
        return waiting.answer

    def has_room(self, rows: int, bytes_: int) -> bool:
        """Return whether so much more may wait."""
        return (
            len(self._waiting) + rows <= WAITING_ROWS_MAX
            and self._waiting_bytes + bytes_ <= WAITING_BYTES_MAX
        )

    def take_over(self, rows: Iterable[Waiting]) -> None:
        """Queue rows that another batcher was asked to insert."""
        for waiting in rows:
            if self.has_room(1, len(waiting.row)):
                self._waiting.append(waiting)
                self._waiting_bytes += len(waiting.row)
            else:
                waiting.resolve(Problem("overloaded"))
        self._waiting = deque(sorted(self._waiting, key=lambda waiting: waiting.until))
        self._start_flush()

    async def close(self) -> None:
        """Wait until all requests are answered and all INSERTs have ended."""
        while self._running:
            await asyncio.wait(self._running)

    def _start_flush(self) -> None:
        if self._waiting and len(self._flushes) < IN_FLIGHT_MAX:
            flush = self._loop.create_task(self._flush())
            self._flushes[flush] = None
            self._running.add(flush)
            flush.add_done_callback(self._running.discard)
            flush.add_done_callback(self._leave)  # also if it is cancelled before it begins

    def _leave(self, flush: Flush) -> None:
        """Make room for the next INSERT."""
        timer = self._flushes.pop(flush, None)
        if timer is not None:
            timer.cancel()
        self._start_flush()

    async def _flush(self) -> None:
        """Insert the waiting rows and answer their requests.

        The next INSERT starts before the answers are written.
        """
        flush = cast("Flush", asyncio.current_task())
        batch = self._take()
        if not batch:  # another flush took all rows before this one began, or their time was up
            return
        self._watch(flush, deque(batch))
        try:
            replies = await self._inserter.insert(batch)
        except BaseException:
            replies = [Problem("internal_error") for _ in batch]
            raise
        finally:
            self._leave(flush)
            for waiting, reply in zip(batch, replies, strict=True):
                if reply is not None:
                    waiting.resolve(reply)
        self._metrics.batch.observe(len(batch))
        logs.transitions("enqueued", enqueued(batch, replies))

    def _take(self) -> list[Waiting]:
        """Take the oldest rows, as many as one INSERT may have; refuse those whose time is up."""
        batch: list[Waiting] = []
        goes_aside: list[Waiting] = []
        batch_bytes = 0
        now = self._loop.time()
        while self._waiting and len(batch) < self._rows_max and batch_bytes < self._bytes_max:
            waiting = self._waiting.popleft()
            self._waiting_bytes -= len(waiting.row)
            if waiting.until <= now:
                waiting.resolve(not_tried())
            elif self._aside and self._aside.wants(waiting.notification, waiting.producer):
                goes_aside.append(waiting)
            else:
                batch.append(waiting)
                batch_bytes += len(waiting.row)
        if self._aside and goes_aside:
            self._aside.take_over(goes_aside)
        return batch

    def _watch(self, flush: Flush, unanswered: deque[Waiting]) -> None:
        """Answer all requests whose time is up; once all are, the next INSERT need not wait.

        The flush is not cancelled: a cancellation is a request to a server that may not answer
        either, and the store soon gives up by itself.
        """
        now = self._loop.time()
        while unanswered and unanswered[0].until <= now:
            self._outage.away(DatabaseAway("no answer in time"))
            unanswered.popleft().resolve(Problem("database_unavailable"))
        if unanswered:
            self._flushes[flush] = self._loop.call_at(
                unanswered[0].until, self._watch, flush, unanswered
            )
        else:
            self._leave(flush)


def enqueued(batch: Iterable[Waiting], replies: Iterable[Reply]) -> Iterator[logs.Row]:
    """Return a log row for each notification that is in the ledger now."""
    for waiting, reply in zip(batch, replies, strict=True):
        if isinstance(reply, Accepted) and not reply.replayed:
            notification = waiting.notification
            row: dict[str, object] = {
                "notification_id": reply.id,
                "channel": notification.channel,
                "priority": notification.priority,
            }
            if notification.reference is not None:
                row["reference"] = notification.reference
            if waiting.trace is not None:
                row["trace_id"] = traceparent.trace_id(waiting.trace)
            yield row
