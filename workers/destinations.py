"""One destination's share of a sender's slots, so that a slow one leaves room for the others."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from math import ceil
from typing import Generic, TypeVar

T = TypeVar("T")

LEFT_FREE = 8  # one destination leaves an eighth of the slots to the others; a silent one half
SILENT_S = 0.1
LINE_S = 0.05  # it may hold more if that is gone in a moment
PARKED_MAX_S = 30.0
SMOOTHING = 0.1


class Place(Enum):
    """What a destination has for one more."""

    START = auto()
    LINE = auto()  # it stands in line, and comes out of leave() or overdue()
    NONE = auto()  # its share is used up


@dataclass(slots=True)
class Destination(Generic[T]):
    """What one destination holds now, and how long a send to it takes."""

    left_at: float  # when the last one left
    active: int = 0
    line: deque[T] = field(default_factory=deque)
    took_s: float = 0.0
    parked_until: float = 0.0

    def answers(self, now: float) -> bool:
        """Say whether somebody has left lately, for how long a send takes there."""
        return self.took_s > 0.0 and now - self.left_at <= 2 * self.took_s + SILENT_S

    def turn_s(self, now: float) -> float:
        """Say how often a place becomes free: as sends took, or at least since nobody has left."""
        return max(self.took_s, now - self.left_at) / max(1, self.active)


class Destinations(Generic[T]):
    """The destinations that hold anything: never more than there are slots."""

    def __init__(self, slots: int, threads: int = 1) -> None:
        """`threads`: how many have such slots; what one of them sends away may come to any."""
        self.threads = threads
        self.held_max = max(1, slots - slots // LEFT_FREE)
        self.silent_max = max(1, slots // 2)
        self.known: dict[str, Destination[T]] = {}

    def enter(self, name: str, one: T, at_once_max: int | None, now: float) -> Place:
        """Find a place for one more. `at_once_max`: how many at once (None: the whole share)."""
        found = self.known.get(name)
        if found is None:
            found = self.known[name] = Destination(left_at=now)
        held, share = found.active + len(found.line), self.share(found, now)
        if held >= share and (len(found.line) + 1) * found.turn_s(now) > LINE_S:
            return Place.NONE
        if found.active >= (at_once_max or share):
            found.line.append(one)
            return Place.LINE
        found.active += 1
        return Place.START

    def leave(self, name: str, now: float, took_s: float | None) -> T | None:
        """Count one out and the next in line in; return that. `took_s` None: nothing was sent."""
        found = self.known[name]
        found.left_at = now
        if took_s is not None:
            found.took_s += (took_s - found.took_s) * (SMOOTHING if found.took_s else 1.0)
        if found.line:
            return found.line.popleft()
        found.active -= 1
        if not found.active:
            del self.known[name]
        return None

    def park_s(self, name: str, now: float) -> float:
        """Say for how long one without a place goes away, so as to find one at the present pace.

        Rounded up to an eighth of a second, beyond one to seconds: a batch of releases then needs
        few calls, and a burst to a quick one hardly waits.
        """
        found = self.known[name]
        # All threads offer places; but one that does not answer is not to be asked more often.
        places = self.threads if found.answers(now) else 1
        found.parked_until = max(found.parked_until, now) + found.turn_s(now) / places
        wait_s = min(found.parked_until - now, PARKED_MAX_S)
        return ceil(wait_s) if wait_s > 1 else ceil(wait_s * 8) / 8

    def overdue(self, now: float) -> Iterator[tuple[str, T]]:
        """Send away, with its name, who stands beyond the share in a line that became slow."""
        for name, found in self.known.items():
            while (
                found.line
                and found.active + len(found.line) > self.share(found, now)
                and len(found.line) * found.turn_s(now) > LINE_S
            ):
                yield name, found.line.pop()

    def share(self, found: Destination[T], now: float) -> int:
        """Say how many slots it may hold: one that hangs would keep them until the deadline."""
        return self.held_max if found.answers(now) else self.silent_max

    def clear_lines(self) -> Iterator[T]:
        """Send everybody in line away."""
        for found in self.known.values():
            yield from found.line
            found.line.clear()
