"""The leader's jobs on an interval: each is one call of an SQL function, and its figures."""

import asyncio
import time
from datetime import timedelta

from loguru import logger

from service.config import Settings
from service.interval import every
from service.metrics import DispatcherMetrics
from service.store import Store

REAP_MAX = 1000  # rows per call; as many as that, and it is called again
PARTITIONS_INTERVAL_S = 3600.0
PARTITIONS_AHEAD_DAYS = 7


class Background:
    """Reaper, gauges and partitions. The reconciler offers, so it is the dispatcher's."""

    def __init__(self, settings: Settings, store: Store, metrics: DispatcherMetrics) -> None:
        self._settings = settings
        self._store = store
        self._metrics = metrics

    async def run(self) -> None:
        """Run all of them until cancelled."""
        async with asyncio.TaskGroup() as jobs:
            jobs.create_task(every(self._settings.reaping_interval_mins * 60, "reaper", self.reap))
            jobs.create_task(every(self._settings.gauges_interval_s, "gauges", self.set_gauges))
            jobs.create_task(every(PARTITIONS_INTERVAL_S, "partitions", self.keep_partitions))

    async def reap(self) -> None:
        """Take back every attempt whose lease has passed."""
        grace = timedelta(seconds=self._settings.lease_s)
        while True:
            reaped = await self._store.reap(REAP_MAX, grace)
            for row in reaped:
                self._metrics.reaped.labels(row.status).inc()
                logger.warning(
                    "reaped", notification_id=row.id, attempt=row.attempt, status=row.status
                )
            if len(reaped) < REAP_MAX:
                break
        self._metrics.reaper_runs.inc()

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
