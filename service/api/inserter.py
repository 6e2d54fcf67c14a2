"""Insert waiting rows: all at once, or apart where some of them keep the others out."""

import asyncio
from collections.abc import Collection, Iterable, Sequence

from loguru import logger
from msgspec import Struct

from service.api.aside import Aside
from service.api.body import NewNotification
from service.errors import DatabaseAway, KeyInFlight, NotifyError, NotTried, Refused
from service.http.problems import Problem
from service.ledger.enqueue_store import EnqueueStore
from service.logs.outage import Outage
from service.logs.seldom import Seldom
from service.model.notification import Accepted

EACH_WITHIN_S = 2.0

Reply = Accepted | NotifyError | None  # None: another batcher has taken the row over


class Waiting(Struct, frozen=True):
    """One row that waits for its INSERT, and the future that its request awaits."""

    row: bytes
    notification: NewNotification  # the same, for the log
    until: float  # by the loop's clock
    answer: asyncio.Future[Accepted]
    producer: str | None
    trace: str | None  # its traceparent

    def resolve(self, reply: Accepted | NotifyError) -> None:
        """Answer the request, once; if its client went away, the future was cancelled."""
        if self.answer.done():
            return
        if isinstance(reply, Accepted):
            self.answer.set_result(reply)
        else:
            self.answer.set_exception(reply)


class Inserter:
    """Inserts rows, and says what became of each."""

    def __init__(self, store: EnqueueStore, outage: Outage, aside: Aside | None) -> None:
        """`aside`: where rows go that would wait for a key in flight; None: they wait here."""
        self._store = store
        self._outage = outage
        self._aside = aside
        self._kept_out = Seldom("kept_out_by_database")
        self._now = asyncio.get_running_loop().time

    async def insert(self, batch: Sequence[Waiting]) -> list[Reply]:
        """Insert the rows that can be inserted; returns what became of each row, in order."""
        try:
            by_ordinal = await self._store.enqueue(
                b"[" + b",".join([w.row for w in batch]) + b"]", is_in_haste=self._aside is not None
            )
            self._note(by_ordinal.values())
            results = map(by_ordinal.get, range(1, len(batch) + 1))
            return [r if isinstance(r, Accepted) else reason(r) for r in results]
        except KeyInFlight:
            return await self._insert_apart(batch)
        except Refused as refusal:
            return [refusal] if len(batch) == 1 else await self._insert_each(batch)
        except DatabaseAway as error:
            self._outage.away(error)
            return [Problem("database_unavailable") for _ in batch]
        except Exception:
            logger.exception("enqueue_failed", rows=len(batch))
            return [Problem("internal_error") for _ in batch]

    async def _insert_apart(self, batch: Sequence[Waiting]) -> list[Reply]:
        """Insert what has no key, then the rest of each producer; who meets a key goes aside."""
        parts: dict[tuple[str | None, ...], list[int]] = {(): []}
        for place, waiting in enumerate(batch):
            has_key = waiting.notification.idempotency_key is not None
            parts.setdefault((waiting.producer,) if has_key else (), []).append(place)
        if max(map(len, parts.values())) == len(batch):
            assert self._aside
            self._aside.take(batch, batch[0].producer)
            return [None] * len(batch)
        replies: list[Reply] = [None] * len(batch)
        for places in filter(None, parts.values()):
            part = await self.insert([batch[place] for place in places])
            for place, reply in zip(places, part, strict=True):
                replies[place] = reply
        return replies

    def _note(self, replies: Collection[Accepted | NotifyError]) -> None:
        """Log whether the database is away for every row, as when its disk is full, or for some."""
        away = [r for r in replies if isinstance(r, DatabaseAway)]
        if away and len(away) == len(replies):
            self._outage.away(away[0])
            return
        self._outage.back()
        if away:
            self._kept_out.happened(len(away), error=str(away[0]))

    async def _insert_each(self, batch: Iterable[Waiting]) -> list[Reply]:
        """Insert one by one: PostgreSQL refused the whole batch and does not say for which row.

        Only a deferred constraint trigger does this, at the commit. It takes EACH_WITHIN_S at most.
        """
        until = self._now() + EACH_WITHIN_S
        replies: list[Reply] = []
        for waiting in batch:
            in_time = self._now() < min(until, waiting.until)
            replies += await self.insert([waiting]) if in_time else [not_tried()]
        return replies


def reason(reply: NotifyError | None) -> NotifyError:
    """Return why a row is not in the ledger, for its client; None: the database dropped it."""
    if reply is None:
        return Problem("dropped_by_database")
    if isinstance(reply, NotTried):
        return not_tried()
    if isinstance(reply, KeyInFlight):
        return Problem("idempotency_key_in_flight")
    if isinstance(reply, DatabaseAway):
        return Problem("database_unavailable")
    return reply


def not_tried() -> Problem:
    """Return the problem of a row for which no time was left."""
    return Problem("overloaded", "It was not accepted: its time was up before its turn. Try again.")
