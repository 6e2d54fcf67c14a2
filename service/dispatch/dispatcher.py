"""The dispatcher: keeps the ready set filled with what is due, and sleeps when there is nothing.

It writes nothing to PostgreSQL. ops/adr/0001-dispatch.md explains the rule for what it offers,
0002-doorbell.md how it sleeps.
"""

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

from loguru import logger

from service.config.settings import Settings
from service.dispatch.doorbell import ARM_WAIT_LONG_MS, ARM_WAIT_MS, Doorbell
from service.dispatch.interval import every
from service.dispatch.jobs import Background
from service.dispatch.leader import Leader
from service.dispatch.offers import WINDOW_LOW, WINDOW_MAX, Offers
from service.dispatch.ready_set import ReadySet
from service.errors import DatabaseAway, Ended, NotifyError, RedisAway
from service.ledger.store import Store
from service.logs.outage import Outage
from service.logs.seldom import Seldom
from service.metrics import DispatcherMetrics, ProcessMetrics
from service.model import LANES, Lane, LockHolder
from service.process.cancelled import was_cancelled
from service.process.watched import Look, Restarted, Run, ended, watched

TICK_S = 1.0  # full lanes are looked at this often, and no sleep is longer
HEAD_SHARE = 20  # looks from the head take at most 1/20 of the time
AWAKE_PAUSE_S = (0.002, 0.010)  # between looks that found something: twice as long as they took
FULL_PAUSE_S = 0.020  # while a lane is full: 50 looks per second cost 3 % of a core
BLIND_PAUSE_S = 0.1  # between looks while the doorbell cannot be heard
VAIN_PAUSE_S = (0.002, 0.1)  # after a bell that nothing had come for; doubled for each in a row
ARM_PATIENCE_S = 10.0  # then who holds its lock is told
BACKOFF_MAX_S = 2.0
REDIS_INTERVAL_S = 5.0  # between looks at its memory


class Dispatcher:
    """Offers while it leads; without Redis it only runs the background jobs."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        metrics: DispatcherMetrics,
        restarted: Restarted = lambda _: None,
    ) -> None:
        assert settings.direct_url is not None
        self._restarted = restarted
        self._settings = settings
        self._store = store
        self._metrics = metrics
        self._leader = Leader(settings.direct_url)
        self._doorbell = Doorbell(settings.direct_url)
        self._ready_set = ReadySet(settings.redis_url) if settings.redis_url else None
        self._background = Background(settings, store, metrics)
        self._offers = Offers()
        self._offering = asyncio.Lock()  # the reconciler and the road offer in turn
        self._listening = Outage("doorbell")
        self._dispatching = Outage("dispatch")  # it may begin under one lead and end under the next
        self._reconciling = Outage("reconciler")
        self._looking = Outage("redis")
        self._probing = Outage("redis", by="dispatcher")
        self._stranger_leads = Seldom("lead_held_by_stranger")
        self._unarmed = Seldom("doorbell_cannot_be_armed")
        self._arming_since: float | None = None
        self._ask_holder_at = -math.inf
        self._kept_by: LockHolder | None = None  # who keeps the doorbell's lock, and is no producer
        self._in_vain = 0  # bells in a row that nothing had come for
        self._last_head = self._last_tick = -math.inf
        self._head_cost = 0.0

    async def run(self) -> None:
        """Lead when nobody else does, until cancelled."""
        with logger.contextualize(role="dispatcher"):
            await watched("leader", self._try_to_lead, self._restarted)

    async def _try_to_lead(self) -> None:
        """Stand for election each second; whatever ends that gives the lead to somebody else."""
        outage = Outage("postgresql")
        try:
            while not was_cancelled():
                try:
                    leads = await self._leader.elect()
                    outage.back()
                    if leads:
                        await self._lead()
                    else:
                        await self._see_who_leads()
                except DatabaseAway as error:
                    outage.away(error)
                await asyncio.sleep(TICK_S)
        finally:
            await self._close()

    async def _see_who_leads(self) -> None:
        """Tell if it is no dispatcher: any role can take the leader's lock, and then nobody leads.

        Workers look for themselves until somebody ends that session; ops/adr/0012-locks.md.
        """
        holder = await self._leader.holder()
        stranger = holder is not None and not holder.is_ours
        self._metrics.lead_held_by_stranger.set(stranger)
        if stranger:
            self._stranger_leads.happened(holder=str(holder), hint="RUNBOOK: LeadHeldByStranger")

    async def _close(self) -> None:
        for held in (self._leader, self._doorbell, self._ready_set):
            with suppress(NotifyError):
                if held is not None:
                    await held.close()

    async def _lead(self) -> None:
        """Do the leader's work until the lead is lost."""
        logger.info("leading")
        self._metrics.leading.set(1)
        self._metrics.lead_held_by_stranger.set(0)
        self._offers.forget_floors()
        if self._ready_set:
            self._ready_set.use(None)  # a failover may have brought another ledger
        work = [self._begun(name, run) for name, run in self._tasks()]
        try:
            while await self._leader.elect() and not was_cancelled():
                self._background.heard()
                if reason := next(filter(None, map(ended, work)), None):
                    raise Ended(reason)
                await asyncio.sleep(TICK_S)
        finally:
            self._metrics.leading.set(0)
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            self._metrics.forget()
            await self._doorbell.close()
            logger.info("lead_given_up")

    def _tasks(self) -> Iterator[tuple[str, Run]]:
        """Name all that a leader does at the same time."""
        yield from self._background.tasks()
        if self._ready_set is None:
            return
        yield "dispatch", self._dispatch
        interval_s = self._settings.reconciliation_interval_mins * 60
        done = self._metrics.done("reconciler")
        yield "reconciler", lambda: every(interval_s, self._reconciling, self.reconcile, done)
        yield "redis", lambda: every(REDIS_INTERVAL_S, self._looking, self.look_at_redis)

    def _begun(self, name: str, run: Run) -> "asyncio.Task[None]":
        return asyncio.create_task(watched(name, run, self._restarted), name=name)

    async def _dispatch(self) -> None:
        """Turn after turn, until cancelled; a server that is away is waited for."""
        pause = 0.1
        while not was_cancelled():
            try:
                await self.turn()
                self._dispatching.back()
                pause = 0.1
            except NotifyError as error:
                self._dispatching.away(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, BACKOFF_MAX_S)
            except Exception:  # the road must outlive a bug in one turn
                logger.exception("dispatch_failed")
                await asyncio.sleep(BACKOFF_MAX_S)

    async def turn(self) -> None:
        """Offer what is due; if there was nothing, arm, look once more, and sleep."""
        heard = await self._open_doorbell()
        began = time.monotonic()
        added, full, _ = await self.offer()
        if added:
            self._in_vain = 0
            low, high = AWAKE_PAUSE_S
            await asyncio.sleep(min(high, max(low, 2 * (time.monotonic() - began))))
            return
        if full:
            await asyncio.sleep(FULL_PAUSE_S)
            return
        if not heard:
            await asyncio.sleep(BLIND_PAUSE_S)
            return
        if self._in_vain:
            low, high = VAIN_PAUSE_S
            await asyncio.sleep(min(high, low * 2 ** min(self._in_vain - 1, 16)))
        if not await self._arm():
            return
        try:
            added, _, next_due_s = await self.offer()
            if not added:
                await self._sleep(next_due_s)
        except BaseException:
            await self._doorbell.close()  # its lock ends with it
            raise
        await self._doorbell.disarm()
        self._metrics.bells.inc(self._doorbell.rang())

    async def offer(self) -> tuple[int, bool, float | None]:
        """Look at what is due and add what is new to the ready set.

        Returns how many ids were added, whether some lane is full, and the seconds until the next
        notification falls due (None: none is known).
        """
        async with self._offering:
            cards = await self._survey()
            started = time.monotonic()
            tick = started - self._last_tick > TICK_S
            lanes = [lane for lane in LANES if tick or cards[lane] < WINDOW_LOW]
            full = any(card >= WINDOW_LOW for card in cards.values())
            if not lanes:
                return 0, full, None
            floors = self._floors(lanes, started)
            looks = await self._store.due(lanes, floors, WINDOW_MAX)
            if None in floors:
                self._head_cost = time.monotonic() - started
            if tick:
                self._last_tick = started
            added = await self._add(looks, cards)
        waits = [look.next_due_in.total_seconds() for look in looks if look.next_due_in]
        return added, full, min(waits, default=None)

    async def reconcile(self) -> None:
        """Look at every lane from its head, and offer again what was lost on the way."""
        assert self._ready_set is not None
        async with self._offering:
            cards = await self._survey()
            await self._add(await self._store.reconcile(WINDOW_MAX), cards)
        self._metrics.reconciler_runs.inc()

    async def look_at_redis(self) -> None:
        """Show whether Redis does what we need, and its memory; let our keys live on."""
        show = self._metrics
        async with self._offering:  # one connection does for both
            ready_set = await self._known_ready_set()
            try:
                used, most = await ready_set.memory()
                show.redis_memory.set(used)
                show.redis_memory_max.set(most)
            except RedisAway:  # or INFO alone is refused
                show.redis_memory.forget()
                show.redis_memory_max.forget()
            try:
                await ready_set.probe()
                await ready_set.keep()
                self._probing.back()
                show.redis_up.set(1)
            except RedisAway as error:
                self._probing.away(error)
                show.ready.forget()
                show.redis_up.set(0)

    async def _known_ready_set(self) -> ReadySet:
        """Give the ready set of the ledger that we lead."""
        assert self._ready_set is not None
        if self._ready_set.keys is None:
            ledger, _ = await self._store.ledger()
            self._ready_set.use(ledger)
        return self._ready_set

    async def _survey(self) -> dict[int, int]:
        ready_set = await self._known_ready_set()
        try:
            ours, cards = await ready_set.survey()
        except RedisAway:
            self._offers.forget_floors()
            raise
        if not ours:
            self._offers.flushed()
        for lane, card in cards.items():
            self._metrics.ready.set(card, lane)
        return cards

    def _floors(self, lanes: list[int], now: float) -> list[float | None]:
        """Give each lane's floor, or None for all: the head is looked at when it is time."""
        floors = [self._offers.floors[lane] for lane in lanes]
        if None not in floors and now - self._last_head < max(TICK_S, HEAD_SHARE * self._head_cost):
            return floors
        self._last_head = now
        return [None] * len(lanes)

    async def _add(self, looks: list[Lane], cards: dict[int, int]) -> int:
        assert self._ready_set is not None
        now = time.monotonic()
        choice = self._offers.choose(looks, cards, now)
        added = await self._ready_set.add(choice.fresh)
        lost = await self._ready_set.add(choice.again)
        gone = await self._ready_set.gone(choice.doubtful)
        self._offers.remember(looks, choice, gone, now)
        self._metrics.offered.inc(added + lost)
        if lost:
            self._metrics.lost.inc(lost)
            logger.warning("lost_and_offered_again", count=lost)
        return added + lost

    async def _open_doorbell(self) -> bool:
        """Listen; False while that is impossible and looking often must do."""
        try:
            listens = await self._doorbell.open()
        except DatabaseAway as error:
            self._listening.away(error)
            return False
        self._listening.back()
        return listens

    async def _arm(self) -> bool:
        """Arm the doorbell; wait longer for a silent producer after a second of failures."""
        now = time.monotonic()
        failing_s = 0.0 if self._arming_since is None else now - self._arming_since
        if await self._doorbell.arm(ARM_WAIT_LONG_MS if failing_s > 1 else ARM_WAIT_MS):
            self._arming_since = None
            return True
        self._arming_since = self._arming_since or now
        if failing_s > ARM_PATIENCE_S:
            await self._see_who_keeps_the_doorbell(now)
        return False

    async def _see_who_keeps_the_doorbell(self, now: float) -> None:
        """Tell why it cannot sleep, and look less often if that is a stranger's doing."""
        if now >= self._ask_holder_at:
            self._ask_holder_at = now + ARM_PATIENCE_S
            self._kept_by = await self._doorbell.holder()
            holder = str(self._kept_by or "a producer's open transaction")
            self._unarmed.happened(holder=holder)
        if self._kept_by is not None:
            await asyncio.sleep(BLIND_PAUSE_S)

    async def _sleep(self, next_due_s: float | None) -> None:
        """Sleep until the bell, the next due notification or the tick, whichever is first."""
        if was_cancelled():
            return
        tick_s = TICK_S * random.uniform(0.9, 1.1)
        if await self._doorbell.wait(min(tick_s, next_due_s or tick_s)):
            self._in_vain += 1  # until a look finds something
        else:
            self._in_vain = 0


@asynccontextmanager
async def dispatching(settings: Settings, process: ProcessMetrics) -> AsyncIterator[Look]:
    """Run a dispatcher beside its caller, who gets to see whether it still runs."""
    assert settings.database_url is not None
    role = "notify-maint"
    async with Store(settings.database_url, role) as store:
        process.show(role, store.pool.stats)
        dispatcher = Dispatcher(settings, store, DispatcherMetrics(), process.restarted)
        task = asyncio.create_task(dispatcher.run(), name="leader")
        try:
            yield lambda: ended(task) or store.pool.ended()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
