"""The ledger's clock, with which times in requests are compared; and whether it is at home."""

import asyncio
import time
from contextlib import suppress

from service.clock import Clock
from service.errors import NotifyError
from service.ledger.store import Store
from service.logs.copied import Copied
from service.metrics import ApiMetrics
from service.process.cancelled import was_cancelled

LOOK_EVERY_S = 60.0
LOOK_AGAIN_S = 5.0  # while the ledger does not answer, or is a copy


async def kept(clock: Clock, store: Store, metrics: ApiMetrics, environment: str | None) -> None:
    """Read the ledger's clock and home each minute, until cancelled. The batcher logs outages."""
    copied = Copied(environment, metrics.ledger_is_copy)
    while not was_cancelled():
        wait_s = LOOK_AGAIN_S
        with suppress(NotifyError):
            await look(clock, store, metrics)
            copied.see(await store.home(environment))
            if copied.is_copy:
                await store.notice_copy(environment)
            else:
                wait_s = LOOK_EVERY_S
        if not was_cancelled():  # the library may have swallowed a cancellation
            await asyncio.sleep(wait_s)


async def look(clock: Clock, store: Store, metrics: ApiMetrics) -> None:
    """Read the ledger's clock once."""
    asked_at = time.monotonic()
    _, now_s = await store.ledger()
    clock.take_reading(now_s, asked_at)
    metrics.clock_skew.set(clock.skew_s())
