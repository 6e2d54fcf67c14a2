"""Offering: from a look at what is due to ids in the ready set."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from loguru import logger

from service.dispatch.offers import WINDOW_LOW, WINDOW_MAX, Offers
from service.dispatch.ready_set import ReadySet
from service.errors import RedisAway, TookTooLong
from service.ledger.leader_store import LeaderStore
from service.metrics import DispatcherMetrics
from service.model.leader import Lane


@dataclass(frozen=True, slots=True)
class Offer:
    """The result of one look. `next_due_s` None: as far as is known, nothing falls due later."""

    added: int
    is_stocked: bool  # some lane is above its low mark
    next_due_s: float | None


class Offering:
    """Keeps the ready set filled with what is due; the turns and the reconciler never overlap."""

    def __init__(self, store: LeaderStore, redis_url: str, metrics: DispatcherMetrics) -> None:
        self._store = store
        self._metrics = metrics
        self._ready_set = ReadySet(redis_url)
        self._offers = Offers()
        self._lock = asyncio.Lock()
        self._cards: dict[int, int] | None = None  # what the last survey counted in each lane

    def begin_anew(self) -> None:
        """Look from the head, and ask which ledger this is: after a failover it may be another."""
        self._cards = None
        self._offers.forget_floors()
        self._ready_set.use(None)

    async def close(self) -> None:
        """Close the connections to Redis."""
        await self._ready_set.close()

    @asynccontextmanager
    async def ready_set(self) -> AsyncIterator[ReadySet]:
        """Lend the ready set of the ledger that we lead, to one caller at a time."""
        async with self._lock:
            if self._ready_set.keys is None:
                ledger, _ = await self._store.ledger()
                self._ready_set.use(ledger)
            yield self._ready_set

    async def offer(self, *, in_haste: bool = False) -> Offer:
        """Look at what is due, and add to the ready set what is new.

        `in_haste`: count on the last survey of the ready set, which saves a round trip, and look at
        no lane that is stocked, which takes long.
        """
        async with self.ready_set() as ready_set:
            cards = self._cards if in_haste and self._cards else await self._survey(ready_set)
            is_stocked = any(card >= WINDOW_LOW for card in cards.values())
            began = time.monotonic()
            plan = self._offers.plan(cards, began, may_tick=not in_haste)
            if not plan.lanes:
                return Offer(0, is_stocked, None)
            try:
                looks = await self._store.due(plan.lanes, plan.floors, WINDOW_MAX)
            except TookTooLong:
                ended = time.monotonic()
                _, now_s = await self._store.ledger()
                self._offers.took_too_long(plan, began, ended, now_s * 1000)
                raise
            self._offers.looked(plan, began, time.monotonic())
            added = await self._add(ready_set, looks, cards)
        waits = [look.next_due_in.total_seconds() for look in looks if look.next_due_in]
        return Offer(added, is_stocked, min(waits, default=None))

    async def reconcile(self) -> None:
        """Look at every lane from its head, and offer again what was lost on the way.

        Raises TookTooLong at once while looks from the head do: this one would hold up the turns.
        """
        if self._offers.is_head_out_of_reach:
            raise TookTooLong("looks from the head take too long")
        async with self.ready_set() as ready_set:
            cards = await self._survey(ready_set)
            await self._add(ready_set, await self._store.reconcile(WINDOW_MAX), cards)
        self._metrics.reconciler_runs.inc()

    async def _survey(self, ready_set: ReadySet) -> dict[int, int]:
        """Count the ids of each lane. If they are not as we left them, look from the head next."""
        self._cards = None
        try:
            is_ours, cards = await ready_set.survey()
        except RedisAway:
            self._offers.forget_floors()
            raise
        if not is_ours:
            self._offers.flushed()
        for lane, card in cards.items():
            self._metrics.ready.set(card, lane)
        self._cards = cards
        return cards

    async def _add(self, ready_set: ReadySet, looks: list[Lane], cards: dict[int, int]) -> int:
        now = time.monotonic()
        choice = self._offers.choose(looks, cards, now)
        added = await ready_set.add(choice.fresh)
        lost = await ready_set.add(choice.again)
        gone = await ready_set.gone(choice.doubtful)
        self._offers.remember(looks, choice, gone, now)
        self._metrics.offered.inc(added + lost)
        if lost:
            self._metrics.lost.inc(lost)
            logger.warning("lost_and_offered_again", count=lost)
        return added + lost
