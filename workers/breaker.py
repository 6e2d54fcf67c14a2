"""A circuit breaker: how long a destination that fails is left alone, and when its rows come back.

ops/adr/0006-breaker.md says why it trips as it does, and why its rows come back as they do.
"""

import math
import random
from dataclasses import dataclass, field

TRIP_AFTER = 10  # failures in a row
OPEN_MIN_S = 1.0
OPEN_MAX_S = 8.0  # with CROWD_AFTER_S, sending goes on within 10 s of the cause's end
TURN_MAX_S = TRIP_AFTER * OPEN_MAX_S  # until a URL's turn: more at one host are an outage
CROWD_AFTER_S = 1.0  # one row comes back when the open time ends, the others this much later
BACK_PER_S = 1000  # rows of all open destinations that come back in one second
PARTS_PER_S = BACK_PER_S // 2  # of these: a part for each destination, whatever the others have
BACK_MAX_S = 300.0  # but none waits for longer


class Room:
    """What is left of each second for destinations with more rows than their part."""

    def __init__(self) -> None:
        self._taken: dict[int, int] = {}  # rows by second

    def takes(self, at: float, now: float) -> bool:
        """Return whether one more may come back then, and count it if so."""
        second = int(at)
        taken = self._taken.get(second, 0)
        if taken >= BACK_PER_S - PARTS_PER_S:
            return False
        self._taken[second] = taken + 1
        if len(self._taken) > 2 * BACK_MAX_S:
            self._taken = {at: rows for at, rows in self._taken.items() if at >= int(now)}
        return True


@dataclass(slots=True)
class Timetable:
    """When the parked rows of one destination come back: together, but not too many in a second."""

    at: float = -math.inf
    rows: int = 0

    def next(self, earliest: float, now: float, timetables: int, room: Room) -> float:
        """Find the first second from `earliest` on that has room for one more.

        `timetables`: how many have a part of each second; `room`: for what is more than that.
        """
        latest = earliest + BACK_MAX_S
        if self.at < earliest:
            self.at, self.rows = earliest, 0
        elif self.rows >= PARTS_PER_S // timetables and not room.takes(self.at, now):
            self.at, self.rows = min(self.at + math.ceil(timetables / PARTS_PER_S), latest), 0
        self.rows += 1
        if self.at < latest:
            return self.at
        return earliest + BACK_MAX_S * random.uniform(0.8, 1.0)  # or all of these come together


@dataclass(slots=True, weakref_slot=True)
class Crowd:
    """What fails at one destination, each URL by itself: up to ten of them ask as often as one."""

    open: set[str] = field(default_factory=set)  # names of those whose breaker is open
    turn_at: float = -math.inf  # of the last in turn (those at OPEN_MAX_S are): when it asks
    back: Timetable = field(default_factory=Timetable)


@dataclass(slots=True)
class Breaker:
    """One destination that fails, or URL of one. Closed until `opened_at`. All times: monotonic."""

    failures: int = 0
    failed_at: float = -math.inf
    opened_at: float | None = None
    open_until: float = -math.inf
    open_s: float = 0.0
    has_next_probe: bool = False  # a row already comes back when the open time ends
    code: str | None = None  # of the last failure
    probe_at: float = math.inf  # when the last probe began; inf: none since it opened
    crowd: Crowd = field(default_factory=Crowd)

    def wait_s(self, now: float, probe_max_s: float, crowds: int, room: Room) -> float:
        """Return how long a row has to wait; 0.0: the time is over, and this row is the probe.

        `probe_max_s`: after it, a probe of which nothing is known is given up. `crowds`: how many
        are left alone, and `room`: what they have in common.
        """
        if now < self.open_until:
            left_s = self.open_until - now
            if not self.has_next_probe and left_s <= OPEN_MAX_S:
                self.has_next_probe = True
                return left_s
            soon = self.open_until if left_s <= OPEN_MAX_S else math.ceil(now + OPEN_MAX_S)
            return self._back_in_s(soon + CROWD_AFTER_S, now, crowds, room)
        if not self.probe_at <= now < self.probe_at + probe_max_s:
            self.probe_at = now
            return 0.0
        # Wait as long as the probe has run: a probe is mostly answered at once, or it hangs.
        return self._back_in_s(now + max(CROWD_AFTER_S, now - self.probe_at), now, crowds, room)

    def _back_in_s(self, earliest: float, now: float, crowds: int, room: Room) -> float:
        """Return how long one of the crowd waits: whole seconds, as each delay costs a call."""
        return float(math.ceil(round(self.crowd.back.next(earliest, now, crowds, room) - now, 3)))

    def let_through(self, now: float) -> None:
        """Let the next row be the probe; what is parked from now on comes back after that one."""
        self.open_until, self.probe_at = now, math.inf
        self.crowd.back = Timetable()

    def leave_alone(self, since: float, now: float) -> None:
        """Open for twice as long as before, counted from the probe's start, as it may have hung.

        In a crowd the longest time counts from the turn of the one before, of ten at most. The
        shorter ones do not: a URL with a hiccup would wait behind all that are broken for good.
        """
        crowd = self.crowd
        self.open_s = min(max(OPEN_MIN_S, self.open_s * 2), OPEN_MAX_S)
        jittered_s = self.open_s * random.uniform(0.75, 1.0)
        takes_turns = self.open_s == OPEN_MAX_S
        began = max(since, crowd.turn_at) if takes_turns else since
        until = began + jittered_s
        if until > now + TURN_MAX_S:
            until = now + TURN_MAX_S * random.uniform(0.5, 1.0)  # or all of them would ask at once
        self.open_until = max(until, now + OPEN_MIN_S)
        if takes_turns:
            crowd.turn_at = max(crowd.turn_at, self.open_until)
        self.has_next_probe = False
        self.probe_at = math.inf
