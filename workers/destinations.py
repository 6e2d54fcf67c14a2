"""Shares of a sender's slots, so that a slow destination leaves room for the others.

A destination is a receiver's origin, or a mail domain behind the one mail server of all.
"""

import random
from collections import OrderedDict
from collections.abc import Iterator
from enum import Enum, auto
from typing import Generic, TypeVar

from workers.habits import Habits, habit_after
from workers.shares import (
    LEFT_FREE,
    PARKED_MAX_S,
    SLOW_S,
    Destination,
    Habit,
    MailServerShares,
    rounded_up,
)
from workers.strangers import Strangers

T = TypeVar("T")

QUEUE_S = 0.05  # a destination may exceed its share by what will be gone within this time
SLOW_KNOWN_MAX = 1000
PROMPT = Habit.PROMPT  # most are: no call is made for them


class Place(Enum):
    """What a destination has for one more item."""

    START = auto()
    QUEUE = auto()  # the item waits in the queue; leave() or overdue() gives it back
    NONE = auto()  # its share is used up, or that of all strangers


class Destinations(Generic[T]):
    """The destinations that hold anything: never more than there are slots."""

    def __init__(self, slots: int, threads: int = 1, habits: Habits | None = None) -> None:
        """`threads`: how many senders have `slots` each; what one parks may go to another.

        `habits`: what all of them know; None: this one knows its own.
        """
        self._threads = threads
        self._held_max = max(1, slots - slots // LEFT_FREE)
        self._silent_max = max(1, slots // 2)
        self._known: dict[str, Destination[T]] = {}
        self._strangers = Strangers(slots)
        self._habits = Habits() if habits is None else habits
        self._servers: dict[str, MailServerShares[T]] = {}
        self._slow: OrderedDict[str, float] = OrderedDict()  # domains that hold nothing now
        self._queued = 0  # items in all queues

    def enter(self, name: str, item: T, now: float) -> Place:
        """Find a place for one more item of one receiver."""
        destination = self._known.get(name)
        habit = self._habits.of(name) if destination is None else destination.habit
        if habit is not PROMPT and not self._strangers.admits(habit):
            return Place.NONE
        if destination is None:
            destination = self._known[name] = Destination(left_at=now, habit=habit)
        elif self._awaits_first(name, destination):
            return Place.NONE
        share = self._share(destination, now)
        if is_full(destination, share, now):
            return Place.NONE
        if habit is not PROMPT:
            self._strangers.take(habit, 1, now)
        if destination.active >= share:
            destination.queue.append(item)
            self._queued += 1
            return Place.QUEUE
        destination.active += 1
        return Place.START

    def enter_behind(
        self, server_name: str, at_once_max: int, name: str, item: T, now: float
    ) -> Place:
        """Find a place for one more item of a domain that shares a server's connections."""
        destination = self._known.get(name)
        if destination is None:
            destination = self._newcomer(server_name, at_once_max, name, now)
        server = destination.server
        assert server is not None
        if is_full(destination, self._share(destination, now), now):
            return Place.NONE
        if server.enter(name, destination, item, now):
            return Place.START
        self._queued += 1
        return Place.QUEUE

    def _newcomer(
        self, server_name: str, at_once_max: int, name: str, now: float
    ) -> Destination[T]:
        """Begin to know a domain; it counts as slow if it was when it last held anything."""
        server = self._servers.get(server_name)
        if server is None:
            server = MailServerShares(left_at=now, at_once_max=at_once_max)
            self._servers[server_name] = server
        destination = Destination(left_at=now, took_s=self._slow.pop(name, 0.0), server=server)
        self._known[name] = server.behind[name] = destination
        return destination

    def leave(
        self, name: str, now: float, took_s: float | None, *, has_answered: bool = True
    ) -> list[T]:
        """Note that an item is done; return what may begin now. `took_s` None: nothing was sent."""
        destination = self._known[name]
        destination.left(now, took_s)
        if destination.server is None:
            begun = self._leave(destination)
            self._learn(name, destination, now, took_s, has_answered)
        else:
            begun = self._leave_server(destination, destination.server, now, took_s)
        if not destination.held:
            self._forget(name)
        return begun

    def _leave(self, destination: Destination[T]) -> list[T]:
        """Give a place to the next in the queue, or back."""
        if destination.habit is not PROMPT:
            self._strangers.give_back(destination.habit, 1)
        if destination.queue:
            self._queued -= 1
            return [destination.queue.popleft()]
        destination.active -= 1
        return []

    def _learn(
        self,
        name: str,
        destination: Destination[T],
        now: float,
        took_s: float | None,
        has_answered: bool,
    ) -> None:
        """Learn the habit of a receiver; what it still holds counts accordingly."""
        was = destination.habit
        if was is not PROMPT:
            self._strangers.left(now, took_s)
        if took_s is None:
            return
        habit = habit_after(was, took_s, destination.took_s, has_answered=has_answered)
        if habit is not was:
            self._strangers.give_back(was, destination.held)
            self._strangers.take(habit, destination.held, now)
            destination.habit = habit
        if self._habits.of(name) is not habit:
            self._habits.remember(name, habit)

    def _leave_server(
        self,
        domain: Destination[T],
        server: MailServerShares[T],
        now: float,
        took_s: float | None,
    ) -> list[T]:
        """Give a connection to the next domain that waits for one."""
        server.left(now, took_s)
        if took_s is not None and took_s > SLOW_S:  # one slow send is enough
            domain.took_s = max(domain.took_s, took_s)
        begun = server.leave(domain, now)
        self._queued -= len(begun)
        return begun

    def _forget(self, name: str) -> None:
        """Drop a destination that holds nothing; remember its habit, or that a domain is slow."""
        destination = self._known.pop(name)
        if destination.server is None:
            self._habits.remember(name, destination.habit)
            return
        destination.server.forget(name)
        if destination.took_s > SLOW_S:
            self._slow[name] = destination.took_s
            if len(self._slow) > SLOW_KNOWN_MAX:
                self._slow.popitem(last=False)

    def park_s(self, name: str, now: float) -> float:
        """Return how long an item without a place has to wait to find one, at the present pace."""
        destination = self._known.get(name)
        if destination is None:
            return self._strangers.park_one_s(self._habits.of(name), now, self._threads)
        if self._awaits_first(name, destination):
            # About as long as that has run: it is answered soon, or hangs. Not all together.
            ran_s = (now - destination.left_at) * random.uniform(1.0, 2.0)
            return rounded_up(min(ran_s, PARKED_MAX_S))
        if not self._strangers.admits(destination.habit):
            return self._strangers.park_one_s(destination.habit, now, self._threads)
        server = destination.server
        # The server's line is that of all domains; a slow one that lacks its own share has its own.
        if server is not None and server.is_full and not destination.active:
            return server.park_s(now, self._threads)
        return destination.park_s(now, self._threads)

    def _awaits_first(self, name: str, destination: Destination[T]) -> bool:
        """Return whether its first send is under way, and has to show first whether it hangs.

        Only where others need the slots: else a burst to a new receiver would wait for that answer.
        """
        if destination.habit is not Habit.UNKNOWN or destination.took_s:
            return False
        if self._habits.of(name) is not Habit.UNKNOWN:  # another sender has learned it
            return False
        return self._strangers.have_half_beside(destination.held)

    def overdue(self, now: float) -> Iterator[tuple[str, T]]:
        """Take what is beyond the share out of queues that became slow; yield it with its name."""
        if not self._queued:
            return
        for name, destination in [pair for pair in self._known.items() if pair[1].queue]:
            while (
                destination.queue
                and destination.held > self._share(destination, now)
                and len(destination.queue) * destination.turn_s(now) > QUEUE_S
            ):
                self._queued -= 1
                self._strangers.give_back(destination.habit, 1)
                yield name, destination.pop_last()
            if not destination.held:
                self._forget(name)

    def _share(self, destination: Destination[T], now: float) -> int:
        """Return how many slots it may hold; sends that hang would keep them until the deadline.

        A domain may hold as many as its server's domains leave free: a single one half of them, two
        a third each.
        """
        server = destination.server
        answers = (destination if server is None else server).answers(now)
        most = self._held_max if answers else self._silent_max
        return most if server is None else most - server.held

    def clear_queues(self) -> Iterator[T]:
        """Empty all queues, and give what waited."""
        for name, destination in list(self._known.items()):
            yield from destination.queue
            self._queued -= len(destination.queue)
            self._strangers.give_back(destination.habit, len(destination.queue))
            destination.clear_queue()
            if not destination.held:
                self._forget(name)


def is_full(destination: Destination[T], share: int, now: float) -> bool:
    """Return whether one more would be beyond the share, and wait longer than QUEUE_S."""
    return (
        destination.held >= max(1, share)
        and (len(destination.queue) + 1) * destination.turn_s(now) > QUEUE_S
    )
