"""Whether a task was cancelled: an exception may be swallowed on its way."""

import asyncio


def was_cancelled() -> bool:
    """Say whether this task was cancelled, even if nobody raised it.

    asyncio.wait_for of Python 3.11, which redis-py writes with, swallows a cancellation that comes
    while its answer does (one in nine, when aimed at a turn): a loop that trusts the exception
    alone goes on, and whoever waits for its end hangs.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
