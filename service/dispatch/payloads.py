"""The leader's care for payloads, which go some days after the end of their notification."""

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from loguru import logger

from service.dispatch.batch import Batch
from service.dispatch.days import at_once, without_doubt
from service.ledger.leader_store import LeaderStore

ROWS_MAX = 2000  # per call, which is a transaction
BUDGET_S = 5.0  # per turn: what is left comes with the next one


class Payloads:
    """Empties payloads by steps, one day after the other."""

    def __init__(
        self,
        store: LeaderStore,
        days: int | None,
        doubt_s: Callable[[], Awaitable[float]] = without_doubt,
        clock: Callable[[], float] = time.monotonic,
        *,
        may_forget: Callable[[], Awaitable[bool]] = at_once,
    ) -> None:
        self._store = store
        self._days = days  # None: payloads live as long as their notifications
        # How far the ledger's clock may be ahead: a payload that goes too early is lost for good.
        self._doubt_s = doubt_s
        self._clock = clock
        self._may_forget = may_forget
        self._batch = Batch(ROWS_MAX)  # fewer where a slow disk takes long for large payloads

    async def empty(self) -> None:
        """Take one step after the other until no day is due, or the time is up."""
        if self._days is None or not await self._may_forget():
            return
        ends_at = self._clock() + BUDGET_S
        age = timedelta(days=self._days, seconds=await self._doubt_s())
        while part := await self._batch.ask(partial(self._store.empty_payloads, age)):
            if part.is_done and (part.total or part.left_over):
                logger.info(
                    "payloads_emptied",
                    partition=part.partition,
                    rows=part.total,
                    left=part.left_over,
                    took_s=round(part.took.total_seconds(), 1),
                )
            if self._clock() >= ends_at:
                return
