"""The ledger's clock: times in requests are compared with it, as our own may be an hour ahead."""

import asyncio
import time
from contextlib import suppress

from service.clock import Clock
from service.errors import NotifyError
from service.ledger.store import Store
from service.metrics import ApiMetrics
from service.process.cancelled import was_cancelled

LOOK_EVERY_S = 60.0
LOOK_AGAIN_S = 5.0  # while the ledger does not answer


async def kept(clock: Clock, store: Store, metrics: ApiMetrics) -> None:
    """Read the ledger's clock each minute, until cancelled. The batcher logs outages."""
    while not was_cancelled():
        wait_s = LOOK_AGAIN_S
        with suppress(NotifyError):
            await look(clock, store, metrics)
            wait_s = LOOK_EVERY_S
        if not was_cancelled():  # the library may have swallowed a cancellation
            await asyncio.sleep(wait_s)


async def look(clock: Clock, store: Store, metrics: ApiMetrics) -> None:
    """Read the ledger's clock once."""
    asked_at = time.monotonic()
    _, now_s = await store.ledger()
    clock.take_reading(now_s, asked_at)
    metrics.clock_skew.set(clock.skew_s())
