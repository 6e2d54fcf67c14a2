"""A dispatcher in a thread of its own: a test calls one of its verbs, or lets all of it run."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Self

from prometheus_client import CollectorRegistry

from service.config.settings import Settings
from service.dispatch.dispatcher import Dispatcher
from service.dispatch.offering import Offer, Offering
from service.dispatch.turns import Turns
from service.ledger.leader_store import LeaderStore
from service.metrics import DispatcherMetrics

LIMIT_S = 60.0


class Driven:
    """One dispatcher, its event loop, and its metrics."""

    def __init__(
        self, dsn: str, redis_url: str | None, kind: type[Turns] = Turns, **settings: Any
    ) -> None:
        self.settings = Settings(database_url=dsn, redis_url=redis_url, **settings)
        self.registry = CollectorRegistry()
        self._kind = kind
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        self.call(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_S)
        self._loop.close()

    async def _open(self) -> None:
        self.store = LeaderStore(self.settings.database_url, "notify-maint")
        await self.store.__aenter__()
        metrics = DispatcherMetrics(self.registry)
        self.dispatcher = Dispatcher(self.settings, self.store, metrics)
        self.jobs = self.dispatcher._jobs
        if offering := self.dispatcher._offering:
            self.dispatcher._turns = self._kind(
                self.settings.direct_url, offering, metrics, lambda: not self.jobs.fuse.is_blown
            )

    async def _close(self) -> None:
        await self.dispatcher.close()
        await self.store.__aexit__(None, None, None)

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run one verb to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(LIMIT_S)

    @property
    def offering(self) -> Offering:
        """Give the part that offers."""
        assert self.dispatcher._offering is not None
        return self.dispatcher._offering

    @property
    def turns(self) -> Turns:
        """Give the part that takes the turns."""
        assert self.dispatcher._turns is not None
        return self.dispatcher._turns

    def offer(self) -> int:
        """Look once; says how many ids were added."""
        offer: Offer = self.call(self.offering.offer())
        return offer.added

    def turn(self) -> None:
        """Do one turn."""
        self.call(self.turns.turn())

    def reconcile(self) -> None:
        """Reconcile once."""
        self.call(self.offering.reconcile())

    @contextmanager
    def doing(self, work: Coroutine[Any, Any, Any]) -> Iterator[None]:
        """Let `work` go on until the block ends."""
        task = self.call(_begin(work))
        try:
            yield
        finally:
            self.call(_end(task))

    def running(self) -> AbstractContextManager[None]:
        """Let the dispatcher run as its process would."""
        return self.doing(self.dispatcher.run())

    def dispatching(self) -> AbstractContextManager[None]:
        """Let it do turn after turn, without a lead and without background jobs."""
        return self.doing(self.turns.run())

    def metric(self, name: str, /, **labels: str) -> float:
        """Read one metric."""
        value = self.registry.get_sample_value(name, labels)
        assert value is not None, name
        return value

    @property
    def lost(self) -> float:
        """How many ids it counted as lost."""
        return self.metric("reconciler_lost_total")


async def _begin(work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    return asyncio.create_task(work)


async def _end(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
