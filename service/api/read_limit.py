"""A limit on reads and batches: few run at once and few wait, so that POST /notify stays fast."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.http.problems import Problem

WAIT_S = 1.0  # with 3.5 s for its statement, a client gets an answer within 5 s
SHARE = 2

Turn = asyncio.Future[None]


class ReadLimit:
    """At most `at_once` run; others wait, at most `waiting_max` of them, for `wait_s`.

    Producers take turns, and one has at most a `share`-th of the places of those that wait: then
    one that asks in a loop keeps nobody else out.
    """

    def __init__(
        self, at_once: int, waiting_max: int, wait_s: float = WAIT_S, *, share: int = SHARE
    ) -> None:
        self._wait_s = wait_s
        self._free = at_once  # none while somebody waits: who ends hands the place on
        self._waiting_max = waiting_max
        self._producer_max = waiting_max // share
        self._waiting: dict[str | None, deque[Turn]] = {}  # the producer whose turn is next first

    @asynccontextmanager
    async def admitted(self, producer: str | None = None) -> AsyncIterator[None]:
        """Wait until this read may run. Raises Problem if too many wait, or this takes too long.

        `producer` None: there are no keys, so there is nobody to leave room for.
        """
        if self._free:
            self._free -= 1
        else:
            await self._wait(producer)
        try:
            yield
        finally:
            self._hand_on()

    async def _wait(self, producer: str | None) -> None:
        """Wait until somebody hands a place on to this producer."""
        if self._is_full_for(producer):
            raise Problem("overloaded")
        turn: Turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(producer, deque()).append(turn)
        try:
            await asyncio.wait([turn], timeout=self._wait_s)
        except asyncio.CancelledError:
            if turn.done():  # the place came at the same moment
                self._hand_on()
            else:
                self._forget(producer, turn)
            raise
        if not turn.done():
            self._forget(producer, turn)
            raise Problem("overloaded")

    def _is_full_for(self, producer: str | None) -> bool:
        """Return whether as many wait as may, of all or of this producer."""
        if sum(map(len, self._waiting.values())) >= self._waiting_max:
            return True
        return producer is not None and len(self._waiting.get(producer, ())) >= self._producer_max

    def _hand_on(self) -> None:
        """Give a place to the producer whose turn it is, which goes to the end of the line."""
        if not self._waiting:
            self._free += 1
            return
        producer = next(iter(self._waiting))
        turns = self._waiting.pop(producer)
        turns.popleft().set_result(None)
        if turns:
            self._waiting[producer] = turns

    def _forget(self, producer: str | None, turn: Turn) -> None:
        """Let one wait no longer; a producer of which none waits has no entry."""
        turns = self._waiting[producer]
        turns.remove(turn)
        if not turns:
            del self._waiting[producer]
