"""Shares of a sender's slots, so that a slow destination leaves room for the others.

A destination is a receiver's origin, or a mail domain behind the one mail server of all.
"""

from collections import OrderedDict
from collections.abc import Iterator
from enum import Enum, auto
from math import ceil
from typing import Generic, TypeVar

from workers.turns import LEFT_FREE, SLOW_S, Destination, Server

T = TypeVar("T")

LINE_S = 0.05  # one may hold more than its share if that is gone in a moment
PARKED_MAX_S = 30.0
SLOW_KNOWN_MAX = 1000


class Place(Enum):
    """What a destination has for one more."""

    START = auto()
    LINE = auto()  # it stands in line, and comes out of leave() or overdue()
    NONE = auto()  # its share is used up


class Destinations(Generic[T]):
    """The destinations that hold anything: never more than there are slots."""

    def __init__(self, slots: int, threads: int = 1) -> None:
        """`threads`: how many have such slots; what one of them sends away may come to any."""
        self._threads = threads
        self._held_max = max(1, slots - slots // LEFT_FREE)
        self._silent_max = max(1, slots // 2)
        self._known: dict[str, Destination[T]] = {}
        self._servers: dict[str, Server[T]] = {}
        self._slow: OrderedDict[str, float] = OrderedDict()  # domains that hold nothing now

    def enter(self, name: str, one: T, now: float) -> Place:
        """Find a place for one more, among those of one receiver."""
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = Destination(left_at=now)
        if self._is_full(found, now):
            return Place.NONE
        if found.active >= self._share(found, now):
            found.line.append(one)
            return Place.LINE
        found.active += 1
        return Place.START

    def enter_behind(
        self, server_name: str, at_once_max: int, name: str, one: T, now: float
    ) -> Place:
        """Find a place for one more, among those that share the connections to one server."""
        found = self._known.get(name)
        if found is None:
            found = self._newcomer(server_name, at_once_max, name, now)
        server = found.server
        assert server is not None
        if self._is_full(found, now):
            return Place.NONE
        server.held += 1
        if found.line or not server.admits(found, now):
            found.line.append(one)
            server.turns[name] = found
            return Place.LINE
        server.begin(found, now)
        return Place.START

    def _newcomer(
        self, server_name: str, at_once_max: int, name: str, now: float
    ) -> Destination[T]:
        """Know a domain from now on, as slow if it was so when it last held anything."""
        server = self._servers.get(server_name)
        if server is None:
            server = Server(left_at=now, at_once_max=at_once_max)
            self._servers[server_name] = server
        found = Destination(left_at=now, took_s=self._slow.pop(name, 0.0), server=server)
        self._known[name] = server.behind[name] = found
        return found

    def leave(self, name: str, now: float, took_s: float | None) -> list[T]:
        """Count one out, and those in who are next. `took_s` None: nothing was sent."""
        found = self._known[name]
        found.left(now, took_s)
        server = found.server
        if server is None:
            if found.line:
                return [found.line.popleft()]
            found.active -= 1
            begun = []
        else:
            server.left(now, took_s)
            if took_s is not None and took_s > SLOW_S:  # one is enough, or more would follow it
                found.took_s = max(found.took_s, took_s)
            begun = server.leave(found, now)
        if not found.held:
            self._forget(name)
        return begun

    def _forget(self, name: str) -> None:
        """Know no more of one that holds nothing, but of a domain that it is slow."""
        found = self._known.pop(name)
        if found.server is None:
            return
        found.server.turns.pop(name, None)
        del found.server.behind[name]
        if found.took_s > SLOW_S:
            self._slow[name] = found.took_s
            if len(self._slow) > SLOW_KNOWN_MAX:
                self._slow.popitem(last=False)

    def park_s(self, name: str, now: float) -> float:
        """Say for how long one without a place goes away, so as to find one at the present pace.

        Rounded up to an eighth of a second, beyond one to seconds: a batch of releases then needs
        few calls, and a burst to a quick one hardly waits.
        """
        found = self._known[name]
        # All threads offer places; but one that does not answer is not to be asked more often.
        places = self._threads if found.answers(now) else 1
        found.parked_until = max(found.parked_until, now) + found.turn_s(now) / places
        wait_s = min(found.parked_until - now, PARKED_MAX_S)
        return ceil(wait_s) if wait_s > 1 else ceil(wait_s * 8) / 8

    def overdue(self, now: float) -> Iterator[tuple[str, T]]:
        """Send away, with its name, who stands beyond the share in a line that became slow."""
        for name, found in [pair for pair in self._known.items() if pair[1].line]:
            while (
                found.line
                and found.held > self._share(found, now)
                and len(found.line) * found.turn_s(now) > LINE_S
            ):
                if found.server is not None:
                    found.server.held -= 1
                yield name, found.line.pop()
            if not found.held:
                self._forget(name)

    def _is_full(self, found: Destination[T], now: float) -> bool:
        """Say whether one more would be beyond the share, and not gone in a moment."""
        return (
            found.held >= max(1, self._share(found, now))
            and (len(found.line) + 1) * found.turn_s(now) > LINE_S
        )

    def _share(self, found: Destination[T], now: float) -> int:
        """Say how many slots it may hold: one that hangs would keep them until the deadline.

        A domain may hold as many as it leaves free of its server's: one a half, two a third each.
        """
        server = found.server
        answers = (found if server is None else server).answers(now)
        most = self._held_max if answers else self._silent_max
        return most if server is None else most - server.held

    def clear_lines(self) -> Iterator[T]:
        """Send everybody in line away."""
        for name, found in list(self._known.items()):
            yield from found.line
            if found.server is not None:
                found.server.held -= len(found.line)
            found.line.clear()
            if not found.held:
                self._forget(name)
