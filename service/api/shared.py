"""One answer for all who look: read at most once per interval, however many ask."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """What a read answered last, and the one that is under way, which all of them wait for.

    An error is kept as long as an answer: a database that is away is not asked by each viewer.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[T]],
        keep_s: float,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`keep_s`: how long after its beginning a read counts."""
        self._read = read
        self._keep_s = keep_s
        self._now = now
        self._began_at = 0.0
        self._reading: asyncio.Task[T] | None = None
        self._last: T | None = None
        self._last_at = 0.0

    async def get(self) -> T:
        """Return an answer that is at most `keep_s` old. Raises what the read raises."""
        # The read goes on for the others when one viewer leaves.
        return await asyncio.shield(self._current())

    async def soon(self, patience_s: float) -> T | None:
        """Return what is there within `patience_s`: else the answer of before, or None.

        None as well if that is older than two times `keep_s`: it is not how things are now.
        """
        reading = self._current()
        await asyncio.wait([reading], timeout=patience_s)
        return self._last if self._now() - self._last_at <= 2 * self._keep_s else None

    def _current(self) -> asyncio.Task[T]:
        reading = self._reading
        if reading is None or (reading.done() and self._now() - self._began_at >= self._keep_s):
            self._began_at = self._now()
            reading = self._reading = asyncio.create_task(self._kept())
            reading.add_done_callback(_seen)
        return reading

    async def _kept(self) -> T:
        self._last = answer = await self._read()
        self._last_at = self._now()
        return answer


def _seen(reading: "asyncio.Task[T]") -> None:
    """Look at the error of a read whose viewers have all left: asyncio would complain."""
    if not reading.cancelled():
        reading.exception()
