"""Requests of the same moment share one INSERT, and each is answered after its commit.

There is no timer: an INSERT starts whenever fewer than IN_FLIGHT_MAX are under way, with all that
waits. Alone, a request waits for nobody; under load, batches grow by themselves.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, cast

from loguru import logger

from service.api.body import NewNotification
from service.errors import DatabaseAway, NotifyError, NotTried, Refused
from service.http.problems import Problem
from service.ledger.api_store import ApiStore
from service.logs import logs
from service.logs.outage import Outage
from service.logs.seldom import Seldom
from service.metrics import ApiMetrics
from service.model import Accepted

IN_FLIGHT_MAX = 1  # two cost 12 % more CPU a request: smaller batches
BATCH_ROWS_MAX = 500
BATCH_BYTES_MAX = 4 * 1024 * 1024
WAITING_ROWS_MAX = 5000
WAITING_BYTES_MAX = 32 * 1024 * 1024
DEADLINE_S = 4.5  # a client hears from us within 5 s
EACH_WITHIN_S = 2.0


Flush = asyncio.Task[None]
Outcome = Accepted | NotifyError


class Waiting(NamedTuple):
    """One row on its way, and who waits for it."""

    row: bytes
    notification: NewNotification  # the same, for the log
    until: float  # by the loop's clock
    answer: asyncio.Future[Accepted]

    def hear(self, outcome: Outcome) -> None:
        """Answer, once; a client that went away has no ears."""
        if self.answer.done():
            return
        if isinstance(outcome, Accepted):
            self.answer.set_result(outcome)
        else:
            self.answer.set_exception(outcome)


class Batcher:
    """The rows that wait for their INSERT, bounded by number and bytes."""

    def __init__(self, store: ApiStore, metrics: ApiMetrics) -> None:
        self._store = store
        self._metrics = metrics
        self._outage = Outage("postgresql", by="api")
        self._kept_out = Seldom("kept_out_by_database")
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Waiting] = deque()  # in the order of their `until`
        self._waiting_bytes = 0
        self._flushes: dict[Flush, asyncio.TimerHandle | None] = {}  # somebody waits for these
        self._running: set[Flush] = set()  # and for these perhaps nobody any more

    def submit(self, row: bytes, notification: NewNotification) -> asyncio.Future[Accepted]:
        """Queue one row, a JSON object. Await the answer: Accepted once it is committed.

        The answer raises Problem or Refused; this call raises Problem when too much is waiting.
        """
        too_much = self._waiting_bytes + len(row) > WAITING_BYTES_MAX
        if too_much or len(self._waiting) >= WAITING_ROWS_MAX:
            raise Problem("overloaded")
        until = self._loop.time() + DEADLINE_S
        waiting = Waiting(row, notification, until, self._loop.create_future())
        self._waiting.append(waiting)
        self._waiting_bytes += len(row)
        self._start_flush()
        return waiting.answer

    async def close(self) -> None:
        """Wait until everybody is answered, and every INSERT over."""
        while self._running:
            await asyncio.wait(self._running)

    def _start_flush(self) -> None:
        if self._waiting and len(self._flushes) < IN_FLIGHT_MAX:
            flush = self._loop.create_task(self._flush())
            self._flushes[flush] = None
            self._running.add(flush)
            flush.add_done_callback(self._running.discard)
            flush.add_done_callback(self._leave)  # even one that never began

    def _leave(self, flush: Flush) -> None:
        """Make room for the next INSERT."""
        timer = self._flushes.pop(flush, None)
        if timer is not None:
            timer.cancel()
        self._start_flush()

    async def _flush(self) -> None:
        """Insert what waits, and answer. The next INSERT leaves before the answers are written."""
        flush = cast("Flush", asyncio.current_task())
        batch = self._take()
        if not batch:  # another flush took it all before this one began, or its time was up
            return
        self._watch(flush, deque(batch))
        try:
            outcomes = await self._insert(batch)
        except BaseException:
            outcomes = [Problem("internal_error") for _ in batch]
            raise
        finally:
            self._leave(flush)
            for waiting, outcome in zip(batch, outcomes, strict=True):
                waiting.hear(outcome)
        self._metrics.batch.observe(len(batch))
        logs.transitions("enqueued", enqueued(batch, outcomes))

    def _take(self) -> list[Waiting]:
        """Take the oldest rows, as many as one INSERT may have; those that are late hear so."""
        batch: list[Waiting] = []
        batch_bytes = 0
        now = self._loop.time()
        while self._waiting and len(batch) < BATCH_ROWS_MAX and batch_bytes < BATCH_BYTES_MAX:
            waiting = self._waiting.popleft()
            self._waiting_bytes -= len(waiting.row)
            if waiting.until <= now:
                waiting.hear(not_tried())
            else:
                batch.append(waiting)
                batch_bytes += len(waiting.row)
        return batch

    def _watch(self, flush: Flush, unanswered: deque[Waiting]) -> None:
        """Answer everybody whose time is up; with nobody left, the next INSERT need not wait.

        The flush is not cancelled: that asks a server which may be as silent, and the store gives
        up soon.
        """
        now = self._loop.time()
        while unanswered and unanswered[0].until <= now:
            self._outage.away(DatabaseAway("no answer in time"))
            unanswered.popleft().hear(Problem("database_unavailable"))
        if unanswered:
            self._flushes[flush] = self._loop.call_at(
                unanswered[0].until, self._watch, flush, unanswered
            )
        else:
            self._leave(flush)

    async def _insert(self, batch: Sequence[Waiting]) -> list[Outcome]:
        """Insert what can be inserted; says of each what became of it."""
        try:
            found = await self._store.enqueue(b"[" + b",".join([w.row for w in batch]) + b"]")
            self._note(found.values())
            outcomes = map(found.get, range(1, len(batch) + 1))
            return [o if isinstance(o, Accepted) else heard(o) for o in outcomes]
        except Refused as refusal:
            return [refusal] if len(batch) == 1 else await self._insert_each(batch)
        except DatabaseAway as error:
            self._outage.away(error)
            return [Problem("database_unavailable") for _ in batch]
        except Exception:
            logger.exception("enqueue_failed", rows=len(batch))
            return [Problem("internal_error") for _ in batch]

    def _note(self, outcomes: Collection[Accepted | NotifyError]) -> None:
        """Say in the log whether the database does its work: a disk may be full for all."""
        away = [o for o in outcomes if isinstance(o, DatabaseAway)]
        if away and len(away) == len(outcomes):
            self._outage.away(away[0])
            return
        self._outage.back()
        if away:
            self._kept_out.happened(len(away), error=str(away[0]))

    async def _insert_each(self, batch: Iterable[Waiting]) -> list[Outcome]:
        """Insert one by one: PostgreSQL refused all as one, and does not say whose fault it was.

        Only a trigger does this that defers itself to the commit. It may be slow, but not long.
        """
        until = self._loop.time() + EACH_WITHIN_S
        outcomes: list[Outcome] = []
        for waiting in batch:
            in_time = self._loop.time() < min(until, waiting.until)
            outcomes += await self._insert([waiting]) if in_time else [not_tried()]
        return outcomes


def heard(outcome: NotifyError | None) -> NotifyError:
    """Say to a client why its row is not in the ledger; None: it was dropped without a word."""
    if outcome is None:
        return Problem("dropped_by_database")
    if isinstance(outcome, NotTried):
        return not_tried()
    if isinstance(outcome, DatabaseAway):
        return Problem("database_unavailable")
    return outcome


def not_tried() -> Problem:
    """Say that a row is not in the ledger, for want of time."""
    return Problem("overloaded", "It was not accepted: its time was up before its turn. Try again.")


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
