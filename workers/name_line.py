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
        self._names = names
        self._wake = wake
        self._answered: deque[str] = deque()  # names that were told since the last round
        self._lines: dict[str, list[tuple[float, T]]] = {}  # until when, and who

    def ask(self, name: str, now: float) -> Found | None:
        """Say what a name stands for; None: it is being looked up."""
        return self._names.ask(name, self._note_answer, now)

    def _note_answer(self, name: str) -> None:
        """Note that a name was looked up (a look-up's call)."""
        self._answered.append(name)
        self._wake()

    def asked_s(self, name: str, now: float) -> float:
        """Say for how long a name is being looked up."""
        return self._names.asked_s(name, now)

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits."""
        return not self._lines

    def enter(self, name: str, item: T, until: float) -> None:
        """Wait in line."""
        self._lines.setdefault(name, []).append((until, item))

    def leave(self, now: float) -> list[tuple[T, Found | None]]:
        """Give who has waited for a name that is known now, or for too long (None)."""
        gone: list[tuple[T, Found | None]] = []
        while self._answered:
            name = self._answered.popleft()
            if name in self._lines and (found := self.ask(name, now)) is not None:
                gone += [(item, found) for _, item in self._lines.pop(name)]
        for name in list(self._lines):
            late = [item for until, item in self._lines[name] if until <= now]
            if late:
                found = self.ask(name, now) or self._names.failed_before(name)
                gone += [(item, found) for item in late]
                self._lines[name] = [one for one in self._lines[name] if one[0] > now]
            if not self._lines[name]:
                del self._lines[name]
        return gone

    def clear(self) -> list[T]:
        """Send everybody away."""
        items = [item for line in self._lines.values() for _, item in line]
        self._lines.clear()
        return items
