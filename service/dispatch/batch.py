"""How many rows the next call of a job takes: fewer, where the server is slow."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from service.errors import TookTooLong
from service.process.batch_size import BatchSize

GROWTH = 2

T = TypeVar("T")


class Batch:
    """Calls of as many rows as the server answers for in time, up to `most`."""

    def __init__(self, most: int) -> None:
        self._size = BatchSize(most, growth=GROWTH)

    async def ask(self, call: Callable[[int], Awaitable[T]]) -> T:
        """Call until it answers in time. Raises TookTooLong if not even one row does."""
        while True:
            rows = self._size.rows
            try:
                answer = await call(rows)
            except TookTooLong:
                if rows == 1:
                    raise
                self._size.took_too_long(rows)
            else:
                self._size.answered()
                return answer
