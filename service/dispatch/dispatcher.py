"""The dispatcher: stands for election, and while it leads runs the road's turns and the jobs.

Only its jobs write to PostgreSQL. ops/adr/0001-dispatch.md explains the rule for what it offers,
0002-doorbell.md how it sleeps.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

from loguru import logger

from service.config.settings import Settings
from service.dispatch.jobs import Jobs
from service.dispatch.leader import Leader
from service.dispatch.offering import Offering
from service.dispatch.turns import Turns
from service.errors import DatabaseAway, NotifyError, UnexpectedEnd
from service.ledger.leader_store import LeaderStore
from service.logs.outage import Outage
from service.logs.seldom import Seldom
from service.metrics import DispatcherMetrics, ProcessMetrics
from service.process.cancelled import was_cancelled
from service.process.watched import Look, Restarted, Run, task_ended, watched

ELECTION_S = 1.0  # between two attempts to lead, or two questions whether we still lead
STAND_BACK_S = 3.0  # in a copy, after a minute's lead


class Dispatcher:
    """Offers while it leads; without Redis it only runs the background jobs."""

    def __init__(
        self,
        settings: Settings,
        store: LeaderStore,
        metrics: DispatcherMetrics,
        restarted: Restarted = lambda _: None,
    ) -> None:
        assert settings.direct_url is not None
        self._restarted = restarted
        self._metrics = metrics
        self._leader = Leader(settings.direct_url)
        self._stranger_leads = Seldom("lead_held_by_stranger")
        self._offering = self._turns = None
        if settings.redis_url:
            self._offering = Offering(store, settings.redis_url, metrics)
        self._jobs = Jobs(settings, store, metrics, self._offering)
        self._fuse = fuse = self._jobs.fuse
        if self._offering:
            self._turns = Turns(
                settings.direct_url, self._offering, metrics, lambda: not fuse.is_blown
            )

    async def run(self) -> None:
        """Lead when nobody else does, until cancelled."""
        with logger.contextualize(role="dispatcher"):
            await watched("leader", self._try_to_lead, self._restarted)

    async def close(self) -> None:
        """Give the lead up, and close every connection."""
        for part in (self._leader, self._turns, self._offering):
            with suppress(NotifyError):
                if part is not None:
                    await part.close()

    async def _try_to_lead(self) -> None:
        """Stand for election each second. However this ends, the lead is given up."""
        outage = Outage("postgresql")
        try:
            while not was_cancelled():
                try:
                    leads = await self._leader.elect()
                    outage.back()
                    if leads:
                        await self._lead()
                        if self._fuse.is_blown:
                            await self._stand_back()
                    else:
                        await self._see_who_leads()
                except DatabaseAway as error:
                    outage.away(error)
                await asyncio.sleep(ELECTION_S)
        finally:
            await self.close()

    async def _see_who_leads(self) -> None:
        """Warn if it is no dispatcher: any role can take the leader's lock, and then nobody leads.

        Until somebody ends that session, workers look for themselves; ops/adr/0012-locks.md.
        """
        holder = await self._leader.holder()
        stranger = holder is not None and not holder.is_ours
        self._metrics.lead_held_by_stranger.set(stranger)
        if stranger:
            self._stranger_leads.happened(holder=str(holder), hint="RUNBOOK: LeadHeldByStranger")

    async def _lead(self) -> None:
        """Do the leader's work until the lead is lost."""
        await self._fuse.begin()
        logger.info("leading")
        self._metrics.leading.set(1)
        self._metrics.lead_held_by_stranger.set(0)
        if self._offering:
            self._offering.begin_anew()
        tasks = [self._start(name, run) for name, run in self._tasks()]
        try:
            while await self._leader.elect() and not was_cancelled():
                if self._fuse.has_led_enough:
                    return
                self._jobs.reaper.heard()
                if reason := next(filter(None, map(task_ended, tasks)), None):
                    raise UnexpectedEnd(reason)
                await asyncio.sleep(ELECTION_S)
        finally:
            self._metrics.leading.set(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._metrics.forget()
            if self._turns:
                await self._turns.close()
            logger.info("lead_given_up")

    async def _stand_back(self) -> None:
        """Let another dispatcher lead, if there is one: its ENVIRONMENT may be the right one."""
        await self._leader.close()
        await asyncio.sleep(STAND_BACK_S)

    def _tasks(self) -> Iterator[tuple[str, Run]]:
        """Name everything that a leader runs at the same time."""
        yield from self._jobs.tasks()
        if self._turns:
            yield "dispatch", self._turns.run

    def _start(self, name: str, run: Run) -> "asyncio.Task[None]":
        return asyncio.create_task(watched(name, run, self._restarted), name=name)


@asynccontextmanager
async def dispatching(settings: Settings, process: ProcessMetrics) -> AsyncIterator[Look]:
    """Run a dispatcher beside its caller, who gets a Look at whether it still runs."""
    assert settings.database_url is not None
    role = "notify-maint"
    async with LeaderStore(settings.database_url, role) as store:
        process.show(role, store.pool.stats)
        dispatcher = Dispatcher(settings, store, DispatcherMetrics(), process.restarted)
        task = asyncio.create_task(dispatcher.run(), name="leader")
        try:
            yield lambda: task_ended(task) or store.pool.ended()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
