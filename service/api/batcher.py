"""Requests of the same moment share one INSERT, and each is answered after its commit.

There is no timer: an INSERT starts whenever fewer than IN_FLIGHT_MAX are under way, with all that
waits. Alone, a request waits for nobody; under load, batches grow by themselves.
"""

import asyncio
from collections import deque
from typing import NamedTuple

from loguru import logger

from service.api.problems import Problem
from service.errors import DatabaseAway, Refused
from service.metrics import ApiMetrics
from service.store import Accepted, Store

IN_FLIGHT_MAX = 1
BATCH_ROWS_MAX = 500
BATCH_BYTES_MAX = 4 * 1024 * 1024
WAITING_ROWS_MAX = 5000
WAITING_BYTES_MAX = 32 * 1024 * 1024
DEADLINE_S = 4.5                        # a client hears from us within 5 s



class Waiting(NamedTuple):
    """One row on its way, and who waits for it."""

    row: bytes
    since: float
    answer: asyncio.Future[Accepted]


class Batcher:
    """The rows that wait for their INSERT, bounded by number and bytes."""

    def __init__(self, store: Store, metrics: ApiMetrics) -> None:
        self._store = store
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Waiting] = deque()
        self._waiting_bytes = 0
        self._flushers: set[asyncio.Task[None]] = set()
        self._late: set[asyncio.Task[None]] = set()

    def submit(self, row: bytes) -> asyncio.Future[Accepted]:
        """Queue one row, a JSON object. Await the answer: Accepted once it is committed.

        The answer raises Problem or Refused; this call raises Problem when too much is waiting.
        """
        too_much = self._waiting_bytes + len(row) > WAITING_BYTES_MAX
        if too_much or len(self._waiting) >= WAITING_ROWS_MAX:
            raise Problem("overloaded")
        waiting = Waiting(row, self._loop.time(), self._loop.create_future())
        self._waiting.append(waiting)
        self._waiting_bytes += len(row)
        if len(self._flushers) < IN_FLIGHT_MAX:
            self._flushers.add(asyncio.create_task(self._flush()))
        return waiting.answer

    async def close(self) -> None:
        """Wait until nothing is left to insert."""
        while self._flushers:
            await asyncio.wait(self._flushers)

    async def _flush(self) -> None:
        """Insert batch after batch until nothing waits."""
        try:
            while self._waiting:
                await self._insert_in_time(self._take())
        finally:
            self._flushers.discard(asyncio.current_task())

    def _take(self) -> list[Waiting]:
        """Take the oldest rows, as many as one INSERT may have."""
        batch: list[Waiting] = []
        batch_bytes = 0
        while self._waiting and len(batch) < BATCH_ROWS_MAX and batch_bytes < BATCH_BYTES_MAX:
            batch.append(self._waiting.popleft())
            batch_bytes += len(batch[-1].row)
        self._waiting_bytes -= batch_bytes
        return batch

    async def _insert_in_time(self, batch: list[Waiting]) -> None:
        """Insert, and answer everybody within the deadline even if the database does not."""
        task = asyncio.create_task(self._insert(batch))
        await asyncio.wait([task], timeout=batch[0].since + DEADLINE_S - self._loop.time())
        if not task.done():
            # Cancelling asks the server, which may be as silent: nobody waits for that.
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            task.cancel()
            fail(batch, "database_unavailable")

    async def _insert(self, batch: list[Waiting]) -> None:
        """Insert what can be inserted, and answer; one wrong row spoils only itself."""
        try:
            accepted = await self._store.enqueue(b"[" + b",".join([w.row for w in batch]) + b"]")
        except Refused as refusal:
            if len(batch) > 1:
                half = len(batch) // 2
                await self._insert(batch[:half])
                await self._insert(batch[half:])
            elif not batch[0].answer.done():
                batch[0].answer.set_exception(refusal)
        except DatabaseAway as error:
            logger.warning("enqueue failed", rows=len(batch), error=str(error))
            fail(batch, "database_unavailable")
        except Exception:
            logger.exception("enqueue failed", rows=len(batch))
            fail(batch, "internal_error")
        else:
            self._metrics.batch.observe(len(batch))
            for waiting, row in zip(batch, accepted, strict=True):
                if not waiting.answer.done():
                    waiting.answer.set_result(row)


def fail(batch: list[Waiting], code: str) -> None:
    """Answer with a problem whoever has no answer yet."""
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_exception(Problem(code))
