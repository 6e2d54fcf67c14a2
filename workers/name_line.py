"""Who waits, on one thread, for a name to be looked up: a moment in line, and then away."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from workers.names import Found, Names

LINE_S = 0.05  # most names are there sooner; who waits longer holds no slot

T = TypeVar("T")


class NameLine(Generic[T]):
    """The lines of one thread, one for each name. `wake` is called in other threads."""

    def __init__(self, names: Names, wake: Callable[[], None]) -> None:
        self.names = names
        self.wake = wake
        self.known: deque[str] = deque()  # names that were told since the last round
        self.lines: dict[str, list[tuple[float, T]]] = {}  # until when, and who

    def ask(self, name: str, now: float) -> Found | None:
        """Say what a name stands for; None: it is being looked up."""
        return self.names.ask(name, self.tell, now)

    def tell(self, name: str) -> None:
        """Note that a name was looked up (a look-up's call)."""
        self.known.append(name)
        self.wake()

    def enter(self, name: str, item: T, until: float) -> None:
        """Wait in line."""
        self.lines.setdefault(name, []).append((until, item))

    def leave(self, now: float) -> list[tuple[T, Found | None]]:
        """Give who has waited for a name that is known now, or for too long (None)."""
        gone: list[tuple[T, Found | None]] = []
        while self.known:
            name = self.known.popleft()
            if name in self.lines and (found := self.ask(name, now)) is not None:
                gone += [(item, found) for _, item in self.lines.pop(name)]
        for name in list(self.lines):
            late = [item for until, item in self.lines[name] if until <= now]
            if late:
                found = self.ask(name, now) or self.names.failed_before(name)
                gone += [(item, found) for item in late]
                self.lines[name] = [one for one in self.lines[name] if one[0] > now]
            if not self.lines[name]:
                del self.lines[name]
        return gone

    def clear(self) -> list[T]:
        """Send everybody away."""
        items = [item for line in self.lines.values() for _, item in line]
        self.lines.clear()
        return items
