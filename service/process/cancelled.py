"""Whether a task was cancelled, since a library may swallow the exception that says so."""

import asyncio


def was_cancelled() -> bool:
    """Return whether this task was cancelled, even if CancelledError did not reach it.

    asyncio.wait_for of Python 3.11, which redis-py writes with, swallows a cancellation that comes
    together with its answer (one in nine, when aimed at a turn). A loop that trusts the exception
    alone would go on, and whoever waits for its end would hang.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
