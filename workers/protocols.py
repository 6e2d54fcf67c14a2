"""Which origins speak HTTP/2: a burst to one of them shares a connection instead of opening 200.

libcurl can wait until a connection shows what it speaks (PIPEWAIT), but it waits for the first
answer: an origin of HTTP/1.1 would be asked one by one. So libcurl is to wait only where HTTP/2 was
seen, and an origin that has not answered yet gets one connection first.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

KNOWN_MAX = 10_000
STREAMS = 100  # what servers allow at least (RFC 9113 section 6.5.2), and most of them at most


@dataclass(slots=True)
class Newcomer(Generic[T]):
    """An origin that has not answered yet."""

    room: int = 0  # how many more may begin
    is_connected: bool = False
    waiting: deque[T] = field(default_factory=deque)


class Protocols(Generic[T]):
    """What the origins of one thread speak. Pure: the caller begins what it gets back."""

    def __init__(self) -> None:
        self._is_h2: OrderedDict[str, bool] = OrderedDict()
        self._newcomers: dict[str, Newcomer[T]] = {}

    def speaks_h2(self, origin: str) -> bool:
        """Return whether an origin is known to speak HTTP/2."""
        return self._is_h2.get(origin, False)

    def may_begin(self, origin: str, item: T) -> bool:
        """Return whether a transfer may begin now; if not, `item` waits, and comes back later."""
        if origin in self._is_h2:
            return True
        newcomer = self._newcomers.get(origin)
        if newcomer is None:
            self._newcomers[origin] = Newcomer()
            return True
        if newcomer.room:
            newcomer.room -= 1
            return True
        newcomer.waiting.append(item)
        return False

    def needs_scout(self, origin: str) -> bool:
        """Return whether the transfer that begins now makes the first connection."""
        newcomer = self._newcomers.get(origin)
        return newcomer is not None and not newcomer.is_connected

    def connected(self, origin: str) -> list[T]:
        """Note that the first connection stands; return as many as HTTP/2 may carry on it."""
        newcomer = self._newcomers.get(origin)
        if newcomer is None or newcomer.is_connected:
            return []
        newcomer.is_connected = True
        begun = [newcomer.waiting.popleft() for _ in range(min(STREAMS - 1, len(newcomer.waiting)))]
        newcomer.room = STREAMS - 1 - len(begun)
        return begun

    def answered(self, origin: str, is_h2: bool) -> list[T]:
        """Remember what an origin speaks; return all that waited for that."""
        self._is_h2[origin] = is_h2
        self._is_h2.move_to_end(origin)
        if len(self._is_h2) > KNOWN_MAX:
            self._is_h2.popitem(last=False)
        return self.silent(origin)

    def silent(self, origin: str) -> list[T]:
        """Note that no answer came; return all that waited: one by one would be no better."""
        newcomer = self._newcomers.pop(origin, None)
        return list(newcomer.waiting) if newcomer else []

    def clear(self) -> list[T]:
        """Forget the newcomers; return all that waited."""
        waiting = [item for newcomer in self._newcomers.values() for item in newcomer.waiting]
        self._newcomers.clear()
        return waiting
