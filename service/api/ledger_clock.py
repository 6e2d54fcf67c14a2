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
NOTICE_S = 1.0  # within which a jump of our own clock is noticed


async def kept(clock: Clock, store: Store, metrics: ApiMetrics, environment: str | None) -> None:
    """Read the ledger's clock and home each minute, and when ours has jumped, until cancelled.

    The batcher logs outages.
    """
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
            await pause(clock, wait_s)


async def pause(clock: Clock, wait_s: float) -> None:
    """Wait; no longer than it takes to notice that our own clock has jumped."""
    ends = time.monotonic() + wait_s
    while (left_s := ends - time.monotonic()) > 0:
        await asyncio.sleep(min(NOTICE_S, left_s))
        if clock.has_moved():
            return


async def look(clock: Clock, store: Store, metrics: ApiMetrics) -> None:
    """Read the ledger's clock once."""
    asked_at = clock.monotonic()
    _, now_s = await store.ledger()
    clock.take_reading(now_s, asked_at)
    metrics.clock_skew.set(clock.skew_s())
