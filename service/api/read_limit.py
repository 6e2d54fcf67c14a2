"""A limit on reads and batches: few run at once and few wait, so that POST /notify stays fast."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.http.problems import Problem

WAIT_S = 1.0  # with 3.5 s for its statement, a client gets an answer within 5 s


class ReadLimit:
    """At most `at_once` run; others wait, at most `waiting_max` of them, for `wait_s`."""

    def __init__(self, at_once: int, waiting_max: int, wait_s: float = WAIT_S) -> None:
        self._wait_s = wait_s
        self._free = asyncio.Semaphore(at_once)
        self._waiting_max = waiting_max
        self._waiting = 0

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Wait until this read may run. Raises Problem if too many wait, or this takes too long."""
        if self._waiting >= self._waiting_max:
            raise Problem("overloaded")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._free.acquire()
        except TimeoutError:
            raise Problem("overloaded") from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()
