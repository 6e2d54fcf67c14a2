"""The leader's care for the days of the ledger: each step on its own, whatever becomes of the others."""

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from loguru import logger

from service.metrics import DispatcherMetrics
from service.store import Store

HOURLY_S = 3600.0
SOON_S = 60.0  # where somebody's lock was in the way
AHEAD_DAYS = 7
DROPPED_MAX = 100  # days per turn, each in a transaction of its own
SWEPT_MAX = 25_000  # rows per turn

SOON = frozenset({"busy", "emptied"})
NOT_DONE = SOON | {"failed"}
Actions = list[tuple[str, str]]


@dataclass(slots=True)
class Step:
    """One of them, and when it is next due by the clock."""

    name: str
    run_once: Callable[[], Awaitable[Actions]]
    due_at: float = -math.inf


class Days:
    """Makes the days to come, drops the old ones, sweeps what lies outside of them."""

    def __init__(
        self,
        store: Store,
        metrics: DispatcherMetrics,
        retention_days: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._retention = timedelta(days=retention_days)
        self._clock = clock
        self._steps = (
            Step("make_days", self._make),
            Step("drop_days", self._drop),
            Step("sweep_default", self._sweep),
        )

    async def keep(self) -> float:
        """Take every step that is due; say in how many seconds the next one is.

        Raises the first error in the end: nothing that one step meets keeps the others away.
        """
        errors: list[Exception] = []
        for step in self._steps:
            if step.due_at <= self._clock():
                try:
                    await self._take(step)
                except Exception as error:  # the job's loop logs and counts it
                    self._metrics.maintenance_failed.set(1, step.name)
                    errors.append(error)
        if errors:
            raise errors[0]
        return max(0.0, min(step.due_at for step in self._steps) - self._clock())

    async def _take(self, step: Step) -> None:
        actions = await step.run_once()
        for action, partition in actions:
            level = "WARNING" if action == "failed" else "INFO"
            logger.log(level, "partition", action=action, partition=partition)
        done = {action for action, _ in actions}
        self._metrics.maintenance_failed.set(not done.isdisjoint(NOT_DONE), step.name)
        step.due_at = self._clock() + (HOURLY_S if done.isdisjoint(SOON) else SOON_S)

    async def _make(self) -> Actions:
        return await self._store.make_days(AHEAD_DAYS, self._retention)

    async def _drop(self) -> Actions:
        """Drop one day after another: locks on the whole ledger last for one of them."""
        seen: dict[str, str] = {}
        for _ in range(DROPPED_MAX):
            actions = await self._store.drop_days(self._retention, 1)
            seen.update((partition, action) for action, partition in actions)
            if all(action != "dropped" for action, _ in actions):
                break
        return [(action, partition) for partition, action in seen.items()]

    async def _sweep(self) -> Actions:
        return await self._store.sweep_default(self._retention, SWEPT_MAX)
