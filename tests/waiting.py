"""Waiting for a condition, with a limit: the only way a test lets time pass."""

import time
from collections.abc import Callable
from typing import Any

LIMIT_S = 60.0  # only what never comes takes it: a busy machine is no fault of ours


def wait_for(condition: Callable[..., Any], limit_s: float = LIMIT_S) -> Any:
    """Return the condition's first true answer. Raises TimeoutError after `limit_s`."""
    end = time.monotonic() + limit_s
    while not (answer := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {limit_s:g} s: {condition}")
        time.sleep(0.005)
    return answer


def wait_until_blocked(db: Any, pid: int) -> None:
    """Wait until the session `pid` waits for a lock that another holds."""
    wait_for(lambda: db.execute("select pg_blocking_pids(%s) as p", [pid]).fetchone()[0])
