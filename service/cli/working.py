"""The worker's threads beside an event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loguru import logger

from service.config.settings import Settings
from service.metrics import WorkerMetrics
from service.process.watched import Look
from workers.runner import Worker


@asynccontextmanager
async def working(settings: Settings, sandbox: str | None = None) -> AsyncIterator[Look]:
    """Run a worker's threads; on the way out they stop claiming, finish sends, and settle.

    `sandbox`: the inbox that takes everything. Yields the look that says whether all of them run.
    """
    worker = Worker(settings, WorkerMetrics(), sandbox)
    with logger.contextualize(role="worker"):
        worker.start()
    try:
        yield worker.ended
    finally:
        with logger.contextualize(role="worker"):
            await asyncio.to_thread(worker.stop)
