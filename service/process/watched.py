"""What must not end while the process runs: it begins again, or the process ends with a line.

A task is run by watched(), which begins it again whatever ended it. A thread cannot be begun again
by somebody else: what it had in its hands is gone. Its end, and that of a task in spite of all, is
seen by until_stopped(), which the main coroutine of every process waits in.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from loguru import logger

from service.errors import Ended
from service.process.cancelled import was_cancelled

PAUSE_MIN_S = 0.5
PAUSE_MAX_S = 30.0
CALM_S = 60.0  # what ran for so long had begun well: the pauses begin anew
LOOK_S = 1.0

Run = Callable[[], Awaitable[None]]
Restarted = Callable[[str], None]  # hears the name of what begins again
Look = Callable[[], str | None]  # says in a line what has ended by itself; None: all runs


async def watched(name: str, run: Run, restarted: Restarted) -> None:
    """Run what must not end, until cancelled; whatever ends it, it begins again after a pause.

    That may be a bug, its return, an exit() or a cancellation that nobody of us asked for: a
    library's, or one that was meant for somebody else.
    """
    pause_s = PAUSE_MIN_S
    while not was_cancelled():
        began = time.monotonic()
        error = await how_it_ended(run)
        if was_cancelled():
            return
        if time.monotonic() - began > CALM_S:
            pause_s = PAUSE_MIN_S
        restarted(name)
        logger.opt(exception=error).error("unexpected_error", task=name, again_in_s=pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, PAUSE_MAX_S)


async def how_it_ended(run: Run) -> BaseException:
    """Run it, and give what ended it. Raises CancelledError if that was for us."""
    try:
        await run()
    except asyncio.CancelledError as error:
        if was_cancelled():
            raise
        return error
    except (Exception, SystemExit) as error:
        return error
    return Ended("it returned")


def ended(task: "asyncio.Task[None]") -> str | None:
    """Say that a task has ended, and of what; None: it runs. (A Look, once it has its task.)"""
    if not task.done():
        return None
    error = None if task.cancelled() else task.exception()
    return f"{task.get_name()} ended: {error or 'it was cancelled or returned'}"


async def until_stopped(stop: asyncio.Event, *looks: Look) -> None:
    """Wait until told to stop. Raises Ended when something ended by itself."""
    while not stop.is_set():
        if reason := next(filter(None, (look() for look in looks)), None):
            raise Ended(reason)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_S)
