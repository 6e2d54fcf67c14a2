"""What one destination holds of a sender's slots, and how a mail server's domains take turns."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from enum import Enum, auto
from math import ceil
from typing import Generic, TypeVar

T = TypeVar("T")

LEFT_FREE = 8  # a destination leaves an eighth to the others
SILENT_S = 0.1
SMOOTHING = 0.1

PARKED_MAX_S = 30.0

SLOW_S = 1.0  # slower ones must not have all slots, or a mail server's connections: others wait
SLOW_LEAVE = 4  # all slow domains together leave a quarter of the connections


class Habit(Enum):
    """How a receiver answered lately."""

    PROMPT = auto()  # within PROMPT_S
    UNKNOWN = auto()  # not asked
    LATE = auto()  # later, or the last send to it ended without an answer, and not soon


def rounded_up(wait_s: float) -> float:
    """Round up to an eighth of a second, beyond 1 s to seconds.

    A batch of releases then needs few calls, and a burst to a quick destination hardly waits.
    """
    return ceil(wait_s) if wait_s > 1 else max(1, ceil(wait_s * 8)) / 8


@dataclass(slots=True)
class Pulse:
    """How many sends are under way, when the last one ended, and how long they take."""

    left_at: float
    active: int = 0
    took_s: float = 0.0
    parked_until: float = 0.0

    def answers(self, now: float) -> bool:
        """Return whether a send has ended lately, measured by how long sends take there."""
        return self.took_s > 0.0 and now - self.left_at <= 2 * self.took_s + SILENT_S

    def left(self, now: float, took_s: float | None) -> None:
        """Learn from a send that has ended. `took_s` None: nothing was sent."""
        self.left_at = now
        if took_s is not None:
            self.took_s += (took_s - self.took_s) * (SMOOTHING if self.took_s else 1.0)

    def turn_s(self, now: float) -> float:
        """Return the time until a place is free: what sends take.

        It is at least the time since the last one ended: so a silent destination's grows.
        """
        return max(self.took_s, now - self.left_at) / max(1, self.active)

    def park_s(self, now: float, threads: int) -> float:
        """Return how long one more that has no place has to wait for one, at the present pace."""
        # Each thread has places to offer; but a silent destination is not asked the more often.
        turn_s = self.turn_s(now) / (threads if self.answers(now) else 1)
        latest = now + PARKED_MAX_S
        self.parked_until = min(max(self.parked_until, now) + turn_s, latest)
        return rounded_up(self.parked_until - now)


@dataclass(slots=True)
class Destination(Pulse, Generic[T]):
    """What one destination holds now. `server`: the mail server that it is reached through."""

    habit: Habit = Habit.PROMPT  # a mail domain's is not asked for
    queue: deque[T] = field(default_factory=deque)
    server: "MailServerShares[T] | None" = None

    @property
    def held(self) -> int:
        """How many slots it has."""
        return self.active + len(self.queue)

    def is_slow(self, now: float) -> bool:
        """Return whether its sends take long, or those under way do."""
        return self.took_s > SLOW_S or (self.active > 0 and now - self.left_at > SLOW_S)

    def pop_last(self) -> T:
        """Take the last item out of the queue."""
        if self.server is not None:
            self.server.held -= 1
        return self.queue.pop()

    def clear_queue(self) -> None:
        """Empty the queue."""
        if self.server is not None:
            self.server.held -= len(self.queue)
        self.queue.clear()


@dataclass(slots=True)
class MailServerShares(Pulse, Generic[T]):
    """A mail server's connections, which the domains behind it use in turn.

    `held`: slots, of what is under way and queued; `turns`: the domains with a queue, next first.
    """

    at_once_max: int = 1
    held: int = 0
    behind: dict[str, Destination[T]] = field(default_factory=dict)
    turns: OrderedDict[str, Destination[T]] = field(default_factory=OrderedDict)

    def enter(self, name: str, domain: Destination[T], item: T, now: float) -> bool:
        """Give a domain one more connection. False: `item` waits in the domain's queue instead."""
        self.held += 1
        if domain.queue or not self._admits(domain, now):
            domain.queue.append(item)
            self.turns[name] = domain
            return False
        self._begin(domain, now)
        return True

    @property
    def is_full(self) -> bool:
        """Whether all its connections are in use."""
        return self.active >= self.at_once_max

    def forget(self, name: str) -> None:
        """Drop a domain that holds nothing."""
        self.turns.pop(name, None)
        del self.behind[name]

    def slow(self, now: float) -> int:
        """Count the connections that slow domains have."""
        return sum(domain.active for domain in self.behind.values() if domain.is_slow(now))

    def leave(self, domain: Destination[T], now: float) -> list[T]:
        """Note that a send has ended; return what may begin: one of each domain, then again."""
        domain.active -= 1
        self.active -= 1
        self.held -= 1
        begun: list[T] = []
        passed = 0
        while passed < len(self.turns) and not self.is_full:
            name, domain = self.turns.popitem(last=False)
            if domain.queue and self._admits(domain, now):
                self._begin(domain, now)
                begun.append(domain.queue.popleft())
                passed = 0
            elif domain.queue:
                passed += 1
            if domain.queue:
                self.turns[name] = domain
        return begun

    def _admits(self, domain: Destination[T], now: float) -> bool:
        """Return whether a domain may have one more connection.

        A domain from which no send has ended has a single one: more might hang beside it.
        """
        most = self.at_once_max
        if self.is_full:
            return False
        if not domain.took_s:
            return not domain.active
        if not domain.is_slow(now):
            return domain.active < max(1, most - most // LEFT_FREE)
        return domain.active < max(1, most // 2) and self.slow(now) < most - most // SLOW_LEAVE

    def _begin(self, domain: Destination[T], now: float) -> None:
        """Give a domain one more connection."""
        if not domain.active:
            domain.left_at = now  # it was not silent until now: nobody asked it
        domain.active += 1
        self.active += 1
