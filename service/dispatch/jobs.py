"""The leader's jobs: what runs on an interval beside the road's turns, and how often."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

from service.config.settings import Settings
from service.dispatch.days import Days
from service.dispatch.figures import FigureReader, Figures
from service.dispatch.fuse import Fuse
from service.dispatch.interval import every
from service.dispatch.mender import Mender
from service.dispatch.offering import Offering
from service.dispatch.pauses import Pauses
from service.dispatch.payloads import Payloads
from service.dispatch.reaper import Reaper
from service.ledger.leader_store import LeaderStore
from service.logs.outage import Outage
from service.metrics import DispatcherMetrics
from service.process.watched import Run

PARTITIONS_INTERVAL_S = 3600.0
CLOCK_INTERVAL_S = 15.0
HOME_INTERVAL_S = 5.0
VITALS_INTERVAL_S = 15.0
REDIS_INTERVAL_S = 5.0
SLO_INTERVAL_S = 10.0
PAYLOADS_INTERVAL_S = 60.0
KEYS_INTERVAL_S = 60.0
PAUSES_INTERVAL_S = 2.0
SLO_DELTAS_MAX = 1000  # rows per call; if a call takes that many, it is called again


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `run_once` may return the seconds after which it wants to run at the latest."""

    name: str
    interval_s: float
    run_once: Callable[[], Awaitable[float | None]]
    is_shown: bool = True  # whether /metrics shows when it last succeeded


class Jobs:
    """The table of jobs. Without Redis (`offering` None) those that need it are left out."""

    def __init__(
        self,
        settings: Settings,
        store: LeaderStore,
        metrics: DispatcherMetrics,
        offering: Offering | None,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self.fuse = Fuse(settings, store, metrics, offering)
        self.mender = Mender(store, metrics, settings.lease_s)
        self.reaper = Reaper(store, metrics, self.mender, settings.lease_s)
        self.figures = Figures(store, metrics)
        self.days = Days(
            store,
            metrics,
            settings.retention_days,
            self.mender.doubt_s,
            may_forget=self.may_drop,
        )
        self.payloads = Payloads(
            store, settings.payload_days, self.mender.doubt_s, may_forget=self.mender.may_forget
        )
        self.pauses = Pauses(store)
        self._jobs = list(self._table(settings, offering))
        # An outage may begin under one lead and end under the next.
        self._outages = {job.name: Outage(job.name) for job in self._jobs}

    def tasks(self) -> Iterator[tuple[str, Run]]:
        """Name each job, and what runs it for as long as this dispatcher leads."""
        for job in self._jobs:
            run = partial(every, job.interval_s, self._outages[job.name], job.run_once)
            if job.is_shown:
                run = partial(run, self._metrics.done(job.name))
            yield job.name, run

    async def fold_slo(self) -> None:
        """Move what has ended lately into slo_daily, and count it."""
        while True:
            folded = await self._store.fold_slo(SLO_DELTAS_MAX)
            for row in folded:
                self._metrics.slo.labels(row.channel, row.priority, row.result).inc(row.ended)
            if sum(row.deltas for row in folded) < SLO_DELTAS_MAX:
                return

    async def turn_keys(self) -> None:
        """Forget idempotency keys whose window has passed."""
        if await self.mender.may_forget():
            await self._store.turn_keys()

    async def may_drop(self) -> bool:
        """Return whether days may go: in a copy they stay, too."""
        return not self.fuse.is_blown and await self.mender.may_forget()

    def _table(self, settings: Settings, offering: Offering | None) -> Iterator[Job]:
        show, guarded = self._metrics, self.fuse.guarded
        queue = FigureReader(self.figures.read_queue, show.queue)

        async def gauges() -> None:
            await queue.look()
            await self.figures.note_queue()

        vitals = FigureReader(self.figures.read_vitals, show.vitals)
        yield Job("home", HOME_INTERVAL_S, self.fuse.keep, is_shown=False)
        yield Job("reaper", settings.reaping_interval_mins * 60, guarded(self.reaper.reap))
        yield Job("gauges", settings.gauges_interval_s, gauges)
        yield Job("vitals", VITALS_INTERVAL_S, vitals.look)
        yield Job("clock", CLOCK_INTERVAL_S, guarded(self.mender.look))
        yield Job("slo", SLO_INTERVAL_S, self.fold_slo)
        yield Job("turn_keys", KEYS_INTERVAL_S, self.turn_keys)
        yield Job("pauses", PAUSES_INTERVAL_S, guarded(self.pauses.keep))
        yield Job("partitions", PARTITIONS_INTERVAL_S, self.days.keep)
        yield Job("payloads", PAYLOADS_INTERVAL_S, guarded(self.payloads.empty))
        if offering is None:
            return
        reconcile = guarded(offering.reconcile)
        yield Job("reconciler", settings.reconciliation_interval_mins * 60, reconcile)
        read_redis = partial(self.figures.read_redis, offering)
        yield Job("redis", REDIS_INTERVAL_S, guarded(read_redis), is_shown=False)
