"""One destination's share of a sender's slots, so that a slow one leaves room for the others."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, TypeVar

T = TypeVar("T")

LEFT_FREE = 8                      # one destination leaves an eighth of the slots to the others
PARKED_MAX_S = 32.0
SMOOTHING = 0.1


class Place(Enum):
    """What a destination has for one more."""

    START = auto()
    LINE = auto()                  # it stands in line, and comes out of leave()
    NONE = auto()                  # its share is used up


@dataclass(slots=True)
class Destination(Generic[T]):
    """What one destination holds now, and how long a send to it takes."""

    active: int = 0
    line: deque[T] = field(default_factory=deque)
    took_s: float = 1.0
    parked_until: float = 0.0


class Destinations(Generic[T]):
    """The destinations that hold anything: never more than there are slots."""

    def __init__(self, slots: int) -> None:
        self.held_max = max(1, slots - slots // LEFT_FREE)
        self.known: dict[str, Destination[T]] = {}

    def enter(self, name: str, one: T, active_max: int | None) -> Place:
        """Find a place for one more. `active_max`: how many at once (None: the whole share)."""
        found = self.known.get(name)
        if found is None:
            found = self.known[name] = Destination()
        if found.active + len(found.line) >= self.held_max:
            return Place.NONE
        if active_max is not None and found.active >= active_max:
            found.line.append(one)
            return Place.LINE
        found.active += 1
        return Place.START

    def leave(self, name: str, took_s: float | None) -> T | None:
        """Count one out and the next in line in; return that. `took_s` None: nothing was sent."""
        found = self.known[name]
        if took_s is not None:
            found.took_s += (took_s - found.took_s) * SMOOTHING
        if found.line:
            return found.line.popleft()
        found.active -= 1
        if not found.active:
            del self.known[name]
        return None

    def park_s(self, name: str, now: float) -> float:
        """Say how long one without a place stays away, so that it finds one at the present pace.

        Rounded up to a power of two: a batch of releases then needs few calls.
        """
        found = self.known[name]
        found.parked_until = max(found.parked_until, now) + found.took_s / self.held_max
        delay_s = 1.0
        while delay_s < min(found.parked_until - now, PARKED_MAX_S):
            delay_s *= 2
        return delay_s

    def clear_lines(self) -> Iterator[T]:
        """Send everybody in line away."""
        for found in self.known.values():
            yield from found.line
            found.line.clear()
