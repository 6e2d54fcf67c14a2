"""Requests of the same moment share one INSERT, and each is answered after its commit.

There is no timer: an INSERT starts whenever fewer than IN_FLIGHT_MAX are under way, with all that
waits. Alone, a request waits for nobody; under load, batches grow by themselves.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sized
from typing import NamedTuple

from loguru import logger

from service import logs
from service.api.body import NewNotification
from service.api.problems import Problem
from service.errors import DatabaseAway, Refused
from service.metrics import ApiMetrics
from service.model import Accepted
from service.outage import Outage
from service.store import Store

IN_FLIGHT_MAX = 1  # two cost 12 % more CPU a request: smaller batches
BATCH_ROWS_MAX = 500
BATCH_BYTES_MAX = 4 * 1024 * 1024
WAITING_ROWS_MAX = 5000
WAITING_BYTES_MAX = 32 * 1024 * 1024
DEADLINE_S = 4.5  # a client hears from us within 5 s


Outcome = Accepted | Refused | Problem


class Waiting(NamedTuple):
    """One row on its way, and who waits for it."""

    row: bytes
    notification: NewNotification  # the same, for the log
    since: float
    answer: asyncio.Future[Accepted]


class Batcher:
    """The rows that wait for their INSERT, bounded by number and bytes."""

    def __init__(self, store: Store, metrics: ApiMetrics) -> None:
        self._store = store
        self._metrics = metrics
        self._outage = Outage("postgresql", by="api")
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Waiting] = deque()
        self._waiting_bytes = 0
        self._flushes: set[asyncio.Task[None]] = set()
        self._late: set[asyncio.Task[list[Outcome]]] = set()

    def submit(self, row: bytes, notification: NewNotification) -> asyncio.Future[Accepted]:
        """Queue one row, a JSON object. Await the answer: Accepted once it is committed.

        The answer raises Problem or Refused; this call raises Problem when too much is waiting.
        """
        too_much = self._waiting_bytes + len(row) > WAITING_BYTES_MAX
        if too_much or len(self._waiting) >= WAITING_ROWS_MAX:
            raise Problem("overloaded")
        waiting = Waiting(row, notification, self._loop.time(), self._loop.create_future())
        self._waiting.append(waiting)
        self._waiting_bytes += len(row)
        self._start_flush()
        return waiting.answer

    async def close(self) -> None:
        """Wait until everybody is answered."""
        while self._flushes:
            await asyncio.wait(self._flushes)

    def _start_flush(self) -> None:
        if self._waiting and len(self._flushes) < IN_FLIGHT_MAX:
            task = self._loop.create_task(self._flush())
            self._flushes.add(task)
            task.add_done_callback(self._flushes.discard)

    async def _flush(self) -> None:
        """Insert what waits, and answer. The next INSERT leaves before the answers are written."""
        batch = self._take()
        if not batch:  # another flush took it all before this one began
            return
        outcomes = await self._insert_in_time(batch)
        self._flushes.discard(asyncio.current_task())
        self._start_flush()
        self._metrics.batch.observe(len(batch))
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if waiting.answer.done():  # its client went away
                continue
            if isinstance(outcome, Accepted):
                waiting.answer.set_result(outcome)
            else:
                waiting.answer.set_exception(outcome)
        logs.transitions("enqueued", enqueued(batch, outcomes))

    def _take(self) -> list[Waiting]:
        """Take the oldest rows, as many as one INSERT may have."""
        batch: list[Waiting] = []
        batch_bytes = 0
        while self._waiting and len(batch) < BATCH_ROWS_MAX and batch_bytes < BATCH_BYTES_MAX:
            batch.append(self._waiting.popleft())
            batch_bytes += len(batch[-1].row)
        self._waiting_bytes -= batch_bytes
        return batch

    async def _insert_in_time(self, batch: list[Waiting]) -> list[Outcome]:
        """Insert, but wait no longer than the oldest client may."""
        task = self._loop.create_task(self._insert([waiting.row for waiting in batch]))
        await asyncio.wait([task], timeout=batch[0].since + DEADLINE_S - self._loop.time())
        if task.done():
            return task.result()
        # Not cancelled: that asks a server which may be as silent, and the store gives up soon.
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        return self._unavailable(batch, DatabaseAway("no answer in time"))

    async def _insert(self, rows: list[bytes]) -> list[Outcome]:
        """Insert what can be inserted: one wrong row spoils only itself."""
        try:
            accepted = await self._store.enqueue(b"[" + b",".join(rows) + b"]")
        except Refused as refusal:
            if len(rows) == 1:
                return [refusal]
        except DatabaseAway as error:
            return self._unavailable(rows, error)
        except Exception:
            logger.exception("enqueue_failed", rows=len(rows))
            return [Problem("internal_error") for _ in rows]
        else:
            self._outage.back()
            return [*accepted]
        half = len(rows) // 2
        return [*await self._insert(rows[:half]), *await self._insert(rows[half:])]

    def _unavailable(self, rows: Sized, error: DatabaseAway) -> list[Outcome]:
        """Say once, in the log, that the database is away; and to everybody who waits."""
        self._outage.away(error)
        return [Problem("database_unavailable") for _ in range(len(rows))]


def enqueued(batch: Iterable[Waiting], outcomes: Iterable[Outcome]) -> Iterator[logs.Row]:
    """Say what log lines tell of those that are in the ledger now."""
    for waiting, outcome in zip(batch, outcomes, strict=True):
        if isinstance(outcome, Accepted):
            given = waiting.notification
            row: dict[str, object] = {
                "notification_id": outcome.id,
                "channel": given.channel,
                "priority": given.priority,
            }
            if given.reference is not None:
                row["reference"] = given.reference
            yield row
