"""Which receivers answer promptly, and what all others may hold of a sender's slots together.

One silent server under many names has a share for each name: together they would be all slots.
ops/adr/0031-strangers.md.
"""

import random

from workers.shares import PARKED_MAX_S, Habit, Pulse, rounded_up

STRANGERS_LEAVE = 4  # a quarter of the slots is for those who answer promptly
SLOW_LEAVE = 8  # and an eighth for those whom nobody has asked: late ones leave it too
UNASKED_S = 8.0  # those whom nobody has asked come back within it, or as many in a second:
UNASKED_PER_S = 1000


class Strangers(Pulse):
    """All who are not known to answer promptly, as if they were one destination.

    `active`: the slots that they have, queues included.
    """

    def __init__(self, slots: int) -> None:
        super().__init__(left_at=0.0)
        self._most = max(1, slots - max(1, slots // STRANGERS_LEAVE))
        self._late_most = max(1, self._most - slots // SLOW_LEAVE)
        self._late_active = 0
        self._unasked_until = 0.0

    def have_half_beside(self, held: int) -> bool:
        """Return whether they have half of their slots or more, without `held` of them."""
        return (self.active - held) * 2 >= self._most

    def admits(self, habit: Habit) -> bool:
        """Return whether a receiver of this habit may have one more slot."""
        if habit is Habit.PROMPT:
            return True
        if self.active >= self._most:
            return False
        return habit is Habit.UNKNOWN or self._late_active < self._late_most

    def take(self, habit: Habit, count: int, now: float) -> None:
        """Count slots that receivers of this habit have begun to hold."""
        if habit is Habit.PROMPT:
            return
        if not self.active:
            self.left_at = now  # they were not silent until now: nobody asked them
        self.active += count
        if habit is Habit.LATE:
            self._late_active += count

    def give_back(self, habit: Habit, count: int) -> None:
        """Count slots that receivers of this habit hold no longer."""
        if habit is Habit.PROMPT:
            return
        self.active -= count
        if habit is Habit.LATE:
            self._late_active -= count

    def park_one_s(self, habit: Habit, now: float, threads: int) -> float:
        """Return how long one more of this habit has to wait.

        Whom nobody has asked asks again soon: it may be sound. But each after a time of its own,
        as slots get free together when sends time out: who waited in line would miss them together.
        """
        wait_s = self.park_s(now, threads)
        if habit is not Habit.UNKNOWN:
            return wait_s
        until = max(self._unasked_until, now) + threads / UNASKED_PER_S
        self._unasked_until = min(until, now + PARKED_MAX_S)
        most_s = max(UNASKED_S, self._unasked_until - now)
        return min(wait_s, rounded_up(most_s * random.uniform(0.5, 1.0)))
