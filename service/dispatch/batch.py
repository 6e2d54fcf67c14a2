"""How many rows the next call of a job takes: fewer, where the server is slow."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from service.errors import TookTooLong

T = TypeVar("T")


class Batch:
    """The size of the next call: a quarter after one that took too long, twice after any other."""

    def __init__(self, most: int) -> None:
        self._most = self._size = most

    async def ask(self, call: Callable[[int], Awaitable[T]]) -> T:
        """Call until it answers in time. Raises TookTooLong if not even one row does."""
        while True:
            try:
                answer = await call(self._size)
            except TookTooLong:
                if self._size == 1:
                    raise
                self._size = max(1, self._size // 4)
            else:
                self._size = min(self._most, self._size * 2)
                return answer
