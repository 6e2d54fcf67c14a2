"""What one destination holds of a sender's slots, and how a mail server's domains take turns."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

LEFT_FREE = 8  # one leaves an eighth to the others
SILENT_S = 0.1
SMOOTHING = 0.1

SLOW_S = 1.0  # a mail domain: so long the others would wait, if it had all connections
SLOW_LEAVE = 4  # slow ones in sum leave a quarter of the connections


@dataclass(slots=True)
class Pulse:
    """How many sends are under way, when the last one left, and how long they take."""

    left_at: float
    active: int = 0
    took_s: float = 0.0

    def answers(self, now: float) -> bool:
        """Say whether somebody has left lately, for how long a send takes there."""
        return self.took_s > 0.0 and now - self.left_at <= 2 * self.took_s + SILENT_S

    def left(self, now: float, took_s: float | None) -> None:
        """Learn from one that has left. `took_s` None: nothing was sent."""
        self.left_at = now
        if took_s is not None:
            self.took_s += (took_s - self.took_s) * (SMOOTHING if self.took_s else 1.0)


@dataclass(slots=True)
class Destination(Pulse, Generic[T]):
    """What one destination holds now. `server`: that it is reached through, with others."""

    line: deque[T] = field(default_factory=deque)
    parked_until: float = 0.0
    server: "Server[T] | None" = None

    @property
    def held(self) -> int:
        """How many slots it has."""
        return self.active + len(self.line)

    def turn_s(self, now: float) -> float:
        """Say how often a place becomes free: as sends took, or at least since nobody has left."""
        return max(self.took_s, now - self.left_at) / max(1, self.active)

    def is_slow(self, now: float) -> bool:
        """Say whether its sends take long, or the one that is under way does."""
        return self.took_s > SLOW_S or (self.active > 0 and now - self.left_at > SLOW_S)


@dataclass(slots=True)
class Server(Pulse, Generic[T]):
    """A mail server's connections, which the domains behind it have in turn.

    `held`: slots, of those under way and in line; `turns`: who stands in line, next first.
    """

    at_once_max: int = 1
    held: int = 0
    behind: dict[str, Destination[T]] = field(default_factory=dict)
    turns: OrderedDict[str, Destination[T]] = field(default_factory=OrderedDict)

    def admits(self, domain: Destination[T], now: float) -> bool:
        """Say whether one more connection may be a domain's.

        One that nobody has come back from has a single one: others may hang beside it.
        """
        most = self.at_once_max
        if self.active >= most:
            return False
        if not domain.took_s:
            return not domain.active
        if not domain.is_slow(now):
            return domain.active < max(1, most - most // LEFT_FREE)
        return domain.active < max(1, most // 2) and self.slow(now) < most - most // SLOW_LEAVE

    def slow(self, now: float) -> int:
        """Count the connections that slow domains have."""
        return sum(domain.active for domain in self.behind.values() if domain.is_slow(now))

    def begin(self, domain: Destination[T], now: float) -> None:
        """Give a domain one more."""
        if not domain.active:
            domain.left_at = now  # until now it was not silent, but not asked
        domain.active += 1
        self.active += 1

    def leave(self, domain: Destination[T], now: float) -> list[T]:
        """Count one out, and in whoever may begin now: one of each domain, and again."""
        domain.active -= 1
        self.active -= 1
        self.held -= 1
        begun: list[T] = []
        passed = 0
        while passed < len(self.turns) and self.active < self.at_once_max:
            name, domain = self.turns.popitem(last=False)
            if domain.line and self.admits(domain, now):
                self.begin(domain, now)
                begun.append(domain.line.popleft())
                passed = 0
            elif domain.line:
                passed += 1
            if domain.line:
                self.turns[name] = domain
        return begun
