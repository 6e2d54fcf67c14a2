"""The leader's care for the days of the ledger: an error in one step does not stop the others."""

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from loguru import logger

from service.ledger.leader_store import LeaderStore
from service.metrics import DispatcherMetrics

HOURLY_S = 3600.0
SOON_S = 60.0  # after a step that could not work because of somebody's lock
AHEAD_DAYS = 7
DROPPED_MAX = 100  # days per turn, each in a transaction of its own
SWEPT_MAX = 25_000  # rows per turn
LOCKS_PER_DAY = 10  # two tables with their indexes
TENDED_EACH, TENDED_MAX = 16, 100  # days per transaction, transactions per turn

SOON = frozenset({"busy", "emptied", "empty", "quiet", "awake"})
NOT_DONE = frozenset({"busy", "emptied", "empty", "failed"})
UNLOGGED = frozenset({"empty", "quiet", "awake"})  # they would be there each minute
Actions = list[tuple[str, str]]


@dataclass(slots=True)
class Step:
    """One step, and when it is next due by the clock."""

    name: str
    run_once: Callable[[], Awaitable[Actions]]
    due_at: float = -math.inf


async def without_doubt() -> float:
    """Trust the ledger's clock."""
    return 0.0


async def at_once() -> bool:
    """Let what is old be forgotten."""
    return True


class Days:
    """Makes the days to come, drops the old ones, and sweeps up rows outside of any day."""

    def __init__(
        self,
        store: LeaderStore,
        metrics: DispatcherMetrics,
        retention_days: int,
        doubt_s: Callable[[], Awaitable[float]] = without_doubt,
        clock: Callable[[], float] = time.monotonic,
        *,
        may_forget: Callable[[], Awaitable[bool]] = at_once,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._retention = timedelta(days=retention_days)
        # How far the ledger's clock may be ahead: a day that is dropped too early is lost for good.
        self._doubt_s = doubt_s
        self._clock = clock
        self._may_forget = may_forget
        self._has_looked = False
        self._steps = (
            Step("make_days", self._make),
            Step("drop_days", self._drop),
            Step("sweep_default", self._sweep),
            Step("tend_days", self._tend),
        )

    async def keep(self) -> float:
        """Take every step that is due; return the seconds until the next one is.

        An error of one step does not stop the others: the first one is raised at the end.
        """
        if not self._has_looked:
            await self._look_at_room()
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

    async def _look_at_room(self) -> None:
        if advice := lock_advice(self._retention.days, *await self._store.lock_room()):
            logger.warning("too_few_locks", hint=advice)
        self._has_looked = True

    async def _take(self, step: Step) -> None:
        actions = await step.run_once()
        for action, partition in actions:
            if action in UNLOGGED:
                continue
            level = "WARNING" if action == "failed" else "INFO"
            logger.log(level, "partition", action=action, partition=partition)
        done = {action for action, _ in actions}
        self._metrics.maintenance_failed.set(not done.isdisjoint(NOT_DONE), step.name)
        step.due_at = self._clock() + (HOURLY_S if done.isdisjoint(SOON) else SOON_S)

    async def _make(self) -> Actions:
        return await self._store.make_days(AHEAD_DAYS, self._retention)

    async def _drop(self) -> Actions:
        """Drop one day per transaction: each locks the whole ledger until it ends."""
        if not await self._may_forget():
            return []
        last_action: dict[str, str] = {}  # by partition
        retention = await self._retention_now()
        for _ in range(DROPPED_MAX):
            actions = await self._store.drop_days(retention, 1)
            last_action.update((partition, action) for action, partition in actions)
            if all(action != "dropped" for action, _ in actions):
                break
        return [(action, partition) for partition, action in last_action.items()]

    async def _tend(self) -> Actions:
        """Tend all days of a long ledger that wait for it, few in each transaction."""
        done: Actions = []
        for _ in range(TENDED_MAX):
            actions = await self._store.tend_days(TENDED_EACH)
            done += actions
            if len(actions) < TENDED_EACH:
                break
        return done

    async def _sweep(self) -> Actions:
        if not await self._may_forget():
            return []
        return await self._store.sweep_default(await self._retention_now(), SWEPT_MAX)

    async def _retention_now(self) -> timedelta:
        return self._retention + timedelta(seconds=await self._doubt_s())


def lock_advice(retention_days: int, per_transaction: int, transactions: int) -> str:
    """Say what to do if the server has too few locks to open every day at once; "": it has enough.

    The road never opens every day; a dump, a migration or somebody's own query may.
    """
    wanted = math.ceil(LOCKS_PER_DAY * (retention_days + AHEAD_DAYS) / transactions)
    if wanted <= per_transaction:
        return ""
    return (
        f"RETENTION_DAYS={retention_days}: a dump or a migration opens every day at once; set "
        f"max_locks_per_transaction to {wanted} or more, and restart PostgreSQL"
    )
