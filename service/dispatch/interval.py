"""The one loop for everything that runs on an interval."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from loguru import logger

from service.errors import NotifyError
from service.logs.outage import Outage
from service.process.cancelled import was_cancelled

RETRY_S = 5.0  # after a failure: with another session it may succeed


async def every(
    interval_s: float,
    outage: Outage,
    run_once: Callable[[], Awaitable[float | None]],
    succeeded: Callable[[], None] = lambda: None,
) -> None:
    """Run a job at once and then every `interval_s`, until cancelled; after a failure run it soon.

    The job may return the seconds after which it wants to run at the latest. `outage` belongs to
    the caller, because it may begin under one lead and end under the next. `succeeded` is called
    after each run that did not fail.
    """
    while not was_cancelled():
        started, wait_s = time.monotonic(), interval_s
        try:
            wanted_s = await run_once()
            outage.back()
            succeeded()
            wait_s = min(wait_s, wait_s if wanted_s is None else wanted_s)
        except NotifyError as error:
            outage.away(error)
            wait_s = min(wait_s, RETRY_S)
        except Exception as error:  # the loop must outlive a bug in its job
            outage.away(error)
            logger.exception("job_failed")
        if not was_cancelled():
            await asyncio.sleep(max(0.0, wait_s - (time.monotonic() - started)))
