"""The leader's jobs on an interval: each is one call of an SQL function, and its figures.

Figures that could not be read three times in a row are shown as NaN: an old one would be a lie.
"""

import math
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial

from service.config.settings import Settings
from service.dispatch.days import Days
from service.dispatch.interval import every
from service.dispatch.mender import Mender
from service.ledger.store import Store
from service.logs import logs
from service.logs.outage import Outage
from service.metrics import DispatcherMetrics, Reading
from service.model import Reaped
from service.process.watched import Run

REAP_MAX = 1000  # rows per call; as many as that, and it is called again
REAP_PAUSE_MIN_S = 1.0  # however many leases end
# By then the living have settled: at the latest 5 s after PostgreSQL is back a worker gives up a
# silent connection, or an attempt to connect; it tries again within 1 s, and the settle takes less
# than another one. A row that is settled later all the same is stale, and counted.
SETTLE_GRACE_S = 7.0
SETTLE_AGAIN_S = 4.0
STALL_S = 3.0  # the leader hears from PostgreSQL each second
PARTITIONS_INTERVAL_S = 3600.0
CLOCK_INTERVAL_S = 15.0
VITALS_INTERVAL_S = 15.0
MISSES_MAX = 3  # in a row; then the figures are not known
SLO_INTERVAL_S = 10.0
SLO_DELTAS_MAX = 1000  # rows per call; as many as that, and it is called again


class Background:
    """All but the reconciler, which offers, and the look at Redis: those are the dispatcher's."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        metrics: DispatcherMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._heard_at = -math.inf  # who leads first does not know how it went before
        self._reap_from = math.inf
        self._mender = Mender(store, metrics, settings.lease_s)
        gauges = Sight(self.set_gauges, metrics.queue)
        self._days = Days(store, metrics, settings.retention_days, self._mender.doubt_s)
        vitals = Sight(self.set_vitals, metrics.vitals)
        self._jobs: tuple[tuple[str, float, Callable[[], Awaitable[float | None]]], ...] = (
            ("reaper", settings.reaping_interval_mins * 60, self.reap),
            ("gauges", settings.gauges_interval_s, gauges.look),
            ("vitals", VITALS_INTERVAL_S, vitals.look),
            ("clock", CLOCK_INTERVAL_S, self._mender.look),
            ("slo", SLO_INTERVAL_S, self.fold_slo),
            ("partitions", PARTITIONS_INTERVAL_S, self.keep_days),
        )
        self._outages = {name: Outage(name) for name, _, _ in self._jobs}

    def tasks(self) -> Iterator[tuple[str, Run]]:
        """Name each of them, to be run as long as this dispatcher leads."""
        for name, interval_s, run_once in self._jobs:
            done = self._metrics.done(name)
            yield name, partial(every, interval_s, self._outages[name], run_once, done)

    def heard(self) -> None:
        """Note that PostgreSQL answered. After a silence the living may settle before we reap.

        A silence in that grace does not begin it anew, or outages that follow each other would put
        the reaper off for as long as they do; the living have time for one more try.
        """
        now = self._clock()
        if now - self._heard_at > STALL_S:
            left_s = self._reap_from - self._heard_at
            again = 0 < left_s < SETTLE_GRACE_S
            self._reap_from = now + (max(left_s, SETTLE_AGAIN_S) if again else SETTLE_GRACE_S)
        self._heard_at = now

    async def reap(self) -> float:
        """Take back every attempt whose lease has passed; say in how many seconds to come again.

        That is when the next lease passes. One that nobody has yet ends no sooner than LEASE_S.
        """
        left = await self._store.next_lease_in()
        self.heard()  # before anything is reaped: that answer may have taken long
        grace_s = self._reap_from - self._clock()
        if grace_s <= 0 and left is not None and left <= timedelta(0):
            await self._mender.read_clock()  # after a jump of the ledger's no lease has passed
            grace_s = self._mender.reap_in_s
            if grace_s <= 0:
                await self._take_back()
                left = await self._store.next_lease_in()
        self._metrics.reaper_runs.inc()
        left_s = self._settings.lease_s if left is None else left.total_seconds()
        return max(grace_s, left_s, REAP_PAUSE_MIN_S)

    async def _take_back(self) -> None:
        grace = timedelta(seconds=SETTLE_GRACE_S)
        while True:
            reaped = await self._store.reap(REAP_MAX, grace)
            for row in reaped:
                self._metrics.reaped.labels(row.status).inc()
            if reaped:
                logs.transitions("reaped", (told(row) for row in reaped), "WARNING")
            if sum(row.status != "refused" for row in reaped) < REAP_MAX:
                return

    async def set_gauges(self) -> None:
        """Read the gauges and show them."""
        gauges = await self._store.gauges()
        age = gauges.oldest_due_age
        self._metrics.queued.set(gauges.queued)
        self._metrics.sending.set(gauges.sending)
        self._metrics.is_estimate.set(gauges.is_estimate)
        self._metrics.oldest_due.set(age.total_seconds() if age else 0)
        self._metrics.gauges_at.set(time.time())

    async def set_vitals(self) -> None:
        """Read how PostgreSQL itself stands, and show it."""
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

    async def fold_slo(self) -> None:
        """Move what ended lately into slo_daily, and count it."""
        while True:
            folded = await self._store.fold_slo(SLO_DELTAS_MAX)
            for row in folded:
                self._metrics.slo.labels(row.channel, row.priority, row.result).inc(row.ended)
            if sum(row.deltas for row in folded) < SLO_DELTAS_MAX:
                return

    async def keep_days(self) -> float:
        """Take what steps of maintenance are due; say in how many seconds the next one is."""
        return await self._days.keep()


def told(row: Reaped) -> logs.Row:
    """Say what a log line tells of a lease that had passed."""
    return {"notification_id": row.id, "attempt": row.attempt, "status": row.status}


class Sight:
    """Reads and shows some figures, until it has missed them too often."""

    def __init__(self, show: Callable[[], Awaitable[None]], readings: Iterable[Reading]) -> None:
        self._show = show
        self._readings = readings
        self._misses = 0

    async def look(self) -> None:
        """Read and show them once. Raises what reading raises."""
        try:
            await self._show()
        except Exception:
            self._misses += 1
            if self._misses >= MISSES_MAX:
                for reading in self._readings:
                    reading.forget()
            raise
        self._misses = 0
