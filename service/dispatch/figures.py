"""What the leader reads of the queue, PostgreSQL and Redis, and shows at /metrics.

Figures that could not be read three times in a row are shown as NaN, since an old one misleads.
"""

import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterable

from service.dispatch.offering import Offering
from service.errors import RedisAway
from service.ledger.leader_store import LeaderStore
from service.logs.outage import Outage
from service.metrics import DispatcherMetrics, Reading
from service.model.leader import Lanes
from service.redis_answers import SLOW, LateAnswers

MISSES_MAX = 3  # consecutive failed reads; then the figures are unknown


class Figures:
    """Has a method for each group of figures, which reads them once and shows them."""

    def __init__(self, store: LeaderStore, metrics: DispatcherMetrics) -> None:
        self._store = store
        self._metrics = metrics
        self._probing = Outage("redis", role="dispatcher")
        self._late_answers = LateAnswers()
        self._leader = f"{socket.gethostname()}:{os.getpid()}"
        self._lanes: Lanes | None = None  # as they were last read, until they are noted

    async def read_queue(self) -> None:
        """Read how much is queued and being sent, and for how long it has been due."""
        self._lanes = lanes = await self._store.lanes()
        age = lanes.oldest_due_age
        self._metrics.queued.set(sum(lanes.queued) + lanes.quiet)
        self._metrics.sending.set(lanes.sending)
        self._metrics.is_estimate.set(lanes.is_estimate)
        self._metrics.oldest_due.set(age.total_seconds() if age else 0)
        self._metrics.gauges_at.set(time.time())

    async def note_queue(self) -> None:
        """Note in the ledger what was read, for pages; /metrics shows it in any case."""
        if self._lanes is not None:
            lanes, self._lanes = self._lanes, None
            await self._store.note_figures(self._leader, lanes)

    async def read_vitals(self) -> None:
        """Read how PostgreSQL itself is doing."""
        vitals, show = await self._store.vitals(), self._metrics
        age = vitals.oldest_transaction_age
        show.notify_usage.set(vitals.notify_usage)
        show.oldest_transaction.set(None if age is None else age.total_seconds())
        show.xmin_age.set(vitals.xmin_age)
        show.dead_tuples.set(vitals.notifications_dead, "notifications")
        show.dead_tuples.set(vitals.attempts_dead, "attempts")
        show.size.set(vitals.notifications_bytes, "notifications")
        show.size.set(vitals.attempts_bytes, "attempts")
        show.partitions_ahead.set(vitals.days_ahead)
        show.default_rows.set(vitals.notifications_in_default, "notifications")
        show.default_rows.set(vitals.attempts_in_default, "attempts")
        show.watch_faults.set(await self._store.watch_faults())
        pause_age = await self._store.oldest_pause_age()
        show.oldest_pause.set(pause_age.total_seconds() if pause_age else 0)

    async def read_redis(self, offering: Offering) -> None:
        """Read whether Redis does what we need, and its memory; renew the lifetime of our keys."""
        show = self._metrics
        async with offering.ready_set() as ready_set:
            try:
                used, limit = await ready_set.memory()
                show.redis_memory.set(used)
                show.redis_memory_max.set(limit)
            except RedisAway:  # or only INFO is refused
                show.redis_memory.forget()
                show.redis_memory_max.forget()
            try:
                began = time.monotonic()
                await ready_set.probe()
                took_s = time.monotonic() - began
                await ready_set.keep()
                self._note_answer(took_s)
            except RedisAway as error:
                self._probing.away(error)
                show.ready.forget()
                show.redis_up.set(0)

    def _note_answer(self, took_s: float) -> None:
        """Show whether Redis is up, by how long it took for a probe."""
        is_away = self._late_answers.note(took_s, was_away=self._probing.lasts)
        if is_away:
            self._probing.away(RedisAway(SLOW))
        else:
            self._probing.back()
        self._metrics.redis_up.set(not is_away)


class FigureReader:
    """Reads and shows one group of figures; after MISSES_MAX failed reads it shows NaN."""

    def __init__(self, read: Callable[[], Awaitable[None]], readings: Iterable[Reading]) -> None:
        self._read = read
        self._readings = readings
        self._misses = 0

    async def look(self) -> None:
        """Read and show the figures once. Raises what reading raises."""
        try:
            await self._read()
        except Exception:
            self._misses += 1
            if self._misses >= MISSES_MAX:
                for reading in self._readings:
                    reading.forget()
            raise
        self._misses = 0
