"""What waits, on one thread, for names to be looked up: each item for a moment only."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from workers.names import Names, Resolution

NAME_WAIT_S = 0.05  # most look-ups take less; what waits longer is released, and holds no slot

T = TypeVar("T")


class NameQueue(Generic[T]):
    """The queues of one sender, one for each name.

    Threads: those of Lookups call _note_answer, and so `wake`; all else is the sender's.
    """

    def __init__(self, names: Names, wake: Callable[[], None]) -> None:
        self._names = names
        self._wake = wake
        self._answered: deque[str] = deque()  # names looked up since the last round
        self._queues: dict[str, list[tuple[float, T]]] = {}  # until when, and what

    def ask(self, name: str, now: float) -> Resolution | None:
        """Return what is known of a name; None: it is being looked up."""
        return self._names.ask(name, self._note_answer, now)

    def _note_answer(self, name: str) -> None:
        """Note that a name was looked up."""
        self._answered.append(name)
        self._wake()

    def asked_s(self, name: str, now: float) -> float:
        """Return for how long a name has been looked up by now."""
        return self._names.asked_s(name, now)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._queues

    def enter(self, name: str, item: T, until: float) -> None:
        """Let an item wait for a name."""
        self._queues.setdefault(name, []).append((until, item))

    def leave(self, now: float) -> list[tuple[T, Resolution | None]]:
        """Return what need not wait any more: its name is known, or (None) it waited too long."""
        gone: list[tuple[T, Resolution | None]] = []
        while self._answered:
            name = self._answered.popleft()
            if name in self._queues and (resolution := self.ask(name, now)) is not None:
                gone += [(item, resolution) for _, item in self._queues.pop(name)]
        for name in list(self._queues):
            late = [item for until, item in self._queues[name] if until <= now]
            if late:
                resolution = self.ask(name, now) or self._names.failed_before(name)
                gone += [(item, resolution) for item in late]
                self._queues[name] = [entry for entry in self._queues[name] if entry[0] > now]
            if not self._queues[name]:
                del self._queues[name]
        return gone

    def clear(self) -> list[T]:
        """Empty all queues; return what waited."""
        items = [item for queue in self._queues.values() for _, item in queue]
        self._queues.clear()
        return items
