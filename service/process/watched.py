"""Restart what must not end while the process runs, or end the process with a line in the log.

watched() runs a task, and restarts it whatever ended it. A thread cannot be restarted from outside:
what it was working on is gone. If a thread ends, or a task in spite of watched(), until_stopped()
notices; the main coroutine of every process waits in it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from loguru import logger

from service.errors import UnexpectedEnd
from service.process.cancelled import was_cancelled

PAUSE_MIN_S = 0.5
PAUSE_MAX_S = 30.0
CALM_S = 60.0  # after a run of this length the next pause is short again
LOOK_S = 1.0

Run = Callable[[], Awaitable[None]]
Restarted = Callable[[str], None]  # called with the name of what is restarted
Look = Callable[[], str | None]  # says in one line what has ended by itself; None: all of it runs


async def watched(name: str, run: Run, restarted: Restarted) -> None:
    """Run what must not end until cancelled; restart it after a pause, whatever ended it.

    That may be a bug, its return, an exit(), or a cancellation that we did not ask for: one by a
    library, or one that was meant for another task.
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
    """Run it, and return what ended it. Raises CancelledError if we were cancelled ourselves."""
    try:
        await run()
    except asyncio.CancelledError as error:
        if was_cancelled():
            raise
        return error
    except (Exception, SystemExit) as error:
        return error
    return UnexpectedEnd("it returned")


def task_ended(task: "asyncio.Task[None]") -> str | None:
    """Say that a task has ended, and why; None: it runs. partial(task_ended, task) is a Look."""
    if not task.done():
        return None
    error = None if task.cancelled() else task.exception()
    return f"{task.get_name()} ended: {error or 'it was cancelled or returned'}"


async def until_stopped(stop: asyncio.Event, *looks: Look) -> None:
    """Wait until `stop` is set. Raises UnexpectedEnd when something ended by itself."""
    while not stop.is_set():
        if reason := next(filter(None, (look() for look in looks)), None):
            raise UnexpectedEnd(reason)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_S)
