"""The leader's jobs on an interval: each is one call of an SQL function, and its figures."""

import asyncio
import math
import time
from collections.abc import Callable
from datetime import timedelta

from loguru import logger

from service.config import Settings
from service.interval import every
from service.metrics import DispatcherMetrics
from service.outage import Outage
from service.store import Store

REAP_MAX = 1000  # rows per call; as many as that, and it is called again
REAP_PAUSE_MIN_S = 1.0  # however many leases end
# Workers try to settle every 2 s at most, within 5 s to connect: by then the living have done so.
SETTLE_GRACE_S = 10.0
SETTLE_AGAIN_S = 4.0
STALL_S = 3.0  # the leader hears from PostgreSQL each second
PARTITIONS_INTERVAL_S = 3600.0
PARTITIONS_AHEAD_DAYS = 7


class Background:
    """Reaper, gauges and partitions. The reconciler offers, so it is the dispatcher's."""

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
        self._reaping = Outage("reaper")
        self._counting = Outage("gauges")
        self._partitioning = Outage("partitions")

    async def run(self) -> None:
        """Run all of them until cancelled: as long as this dispatcher leads."""
        async with asyncio.TaskGroup() as jobs:
            reaping_s = self._settings.reaping_interval_mins * 60
            jobs.create_task(every(reaping_s, self._reaping, self.reap))
            gauges_s = self._settings.gauges_interval_s
            jobs.create_task(every(gauges_s, self._counting, self.set_gauges))
            keeping_s = PARTITIONS_INTERVAL_S
            jobs.create_task(every(keeping_s, self._partitioning, self.keep_partitions))

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
                logger.warning(
                    "reaped", notification_id=row.id, attempt=row.attempt, status=row.status
                )
            if len(reaped) < REAP_MAX:
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

    async def keep_partitions(self) -> None:
        """Make the days to come and drop the old ones."""
        retention = timedelta(days=self._settings.retention_days)
        for action, partition in await self._store.keep_partitions(
            PARTITIONS_AHEAD_DAYS, retention
        ):
            logger.info("partition", action=action, partition=partition)
