"""Serve the HTTP edge on its address."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web
from loguru import logger

from service.access.ring import KeyRing
from service.api import ledger_clock
from service.api.app import READS_AT_ONCE, create_app
from service.api.parts import AddPages
from service.api.runner import create_runner
from service.clock import Clock, since_boot
from service.config.settings import Settings
from service.errors import DatabaseAway, StartError
from service.ledger.enqueue_store import EnqueueStore
from service.ledger.key_store import KeyStore
from service.ledger.read_store import ReadStore
from service.logs.outage import Outage
from service.metrics import ApiMetrics, ProcessMetrics
from service.names.loopback import is_loopback
from service.process.ports import reason
from service.process.watched import Look, task_ended, watched

if TYPE_CHECKING:
    from service.tracing.tracer import Tracer

DRAIN_S = 10.0  # for requests in flight when the process is asked to stop


@asynccontextmanager
async def serving(
    settings: Settings,
    process: ProcessMetrics,
    *,
    inbox_url: str | None = None,
    is_sandbox: bool = False,
    tracer: "Tracer | None" = None,
    pages: AddPages | None = None,
) -> AsyncIterator[tuple[str, Look]]:
    """Serve until the context ends; yields the base URL, and a function that says what has ended.

    `inbox_url`: of an inbox in the same process, to which a sandbox sends everything; `tracer`:
    makes spans of enqueues; `pages`: adds pages for people. Raises StartError if the port is taken.
    """
    assert settings.database_url is not None
    role = "notify-api"
    async with (
        EnqueueStore(settings.database_url, role) as store,
        ReadStore(settings.database_url, role, connections_max=READS_AT_ONCE) as reads,
    ):
        process.show(role, store.pool.stats)
        process.show(f"{role}-reads", reads.pool.stats)
        metrics = ApiMetrics()
        clock = Clock(monotonic=since_boot)
        keys = KeyStore(store.pool.connection)
        outage = Outage("postgresql", role="api")
        ring = KeyRing(keys, may_be_open=may_be_open(settings), outage=outage)
        with logger.contextualize(role="api"):
            await refuse_unguarded(settings, ring)
        app = create_app(
            settings, store, reads, metrics,
            keys=keys, ring=ring, outage=outage, clock=clock, inbox_url=inbox_url,
            direct_url=settings.direct_url, is_sandbox=is_sandbox, tracer=tracer, pages=pages,
        )  # fmt: skip
        runner = create_runner(app, settings, metrics, shutdown_timeout_s=DRAIN_S)
        await runner.setup()
        look = partial(ledger_clock.kept, clock, store, metrics, settings.environment)
        with logger.contextualize(role="api"):
            tasks = [
                asyncio.create_task(watched("clock", look, process.restarted), name="clock"),
                asyncio.create_task(watched("keys", ring.kept, process.restarted), name="keys"),
            ]
        try:
            with logger.contextualize(role="api"):  # each connection inherits it
                await listen(runner, settings)
                logger.info("api", url=base_url(settings))
            yield (
                base_url(settings),
                lambda: (
                    next(filter(None, map(task_ended, tasks)), None)
                    or store.pool.ended()
                    or reads.pool.ended()
                ),
            )
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await runner.cleanup()
            await ring.close()


def may_be_open(settings: Settings) -> bool:
    """Return whether anybody may call while there are no keys."""
    return is_loopback(settings.host) or settings.api_open


async def refuse_unguarded(settings: Settings, ring: KeyRing) -> None:
    """Refuse to listen where others are while no key exists. Raises StartError.

    While the database is away nobody knows: requests are refused until it is back.
    """
    with suppress(DatabaseAway):
        await ring.read()
        if not may_be_open(settings) and not ring.has_keys:
            raise StartError(
                f"HOST={settings.host} lets others in, and there is no key yet: anybody could send."
                " Make one first (notify keys create --producer NAME --scope admin; for a notify up"
                " with its own database, while it runs without HOST), or set API_OPEN=true if what"
                " stands in front asks who calls"
            )


async def listen(runner: web.AppRunner, settings: Settings) -> None:
    """Open the port. Raises StartError if it is taken."""
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
    except OSError as error:
        raise StartError(
            f"PORT={settings.port}: cannot listen on {settings.host}:"
            f" {reason(error, settings.host, settings.port)}"
        ) from error


def base_url(settings: Settings) -> str:
    """Return the address that works from this machine."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
