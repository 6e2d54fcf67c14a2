"""Serve the HTTP edge on its address."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from aiohttp import web
from loguru import logger

from service.api import ledger_clock
from service.api.app import READS_AT_ONCE, create_app, create_runner
from service.clock import Clock
from service.config.settings import Settings
from service.errors import StartError
from service.ledger.api_store import ApiStore
from service.metrics import ApiMetrics, ProcessMetrics
from service.process.ports import reason
from service.process.watched import Look, task_ended, watched

DRAIN_S = 10.0  # for requests in flight when the process is asked to stop


@asynccontextmanager
async def serving(
    settings: Settings, process: ProcessMetrics, *, inbox_url: str | None = None
) -> AsyncIterator[tuple[str, Look]]:
    """Serve until the context ends; yields the base URL, and a function that says what has ended.

    `inbox_url`: of an inbox in the same process. Raises StartError if the port is taken.
    """
    assert settings.database_url is not None
    role = "notify-api"
    async with (
        ApiStore(settings.database_url, role) as store,
        ApiStore(settings.database_url, role, connections_max=READS_AT_ONCE) as reads,
    ):
        process.show(role, store.pool.stats)
        process.show(f"{role}-reads", reads.pool.stats)
        metrics = ApiMetrics()
        clock = Clock()
        app = create_app(settings, store, reads, metrics, clock=clock, inbox_url=inbox_url)
        runner = create_runner(app, settings, metrics, shutdown_timeout_s=DRAIN_S)
        await runner.setup()
        look = partial(ledger_clock.kept, clock, store, metrics, settings.environment)
        with logger.contextualize(role="api"):
            task = asyncio.create_task(watched("clock", look, process.restarted), name="clock")
        try:
            with logger.contextualize(role="api"):  # each connection inherits it
                await listen(runner, settings)
                logger.info("api", url=base_url(settings))
            yield (
                base_url(settings),
                lambda: task_ended(task) or store.pool.ended() or reads.pool.ended(),
            )
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await runner.cleanup()


async def listen(runner: web.AppRunner, settings: Settings) -> None:
    """Open the port. Raises StartError if it is taken."""
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
    except OSError as error:
        raise StartError(
            f"PORT={settings.port}: cannot listen on {settings.host}:"
            f" {reason(error, settings.port)}"
        ) from error


def base_url(settings: Settings) -> str:
    """Return the address that works from this machine."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
