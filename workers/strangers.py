"""Which receivers answer promptly, and what all others may hold of a sender's slots together.

One silent server under many names has a share for each name: together they would be all slots.
ops/adr/0031-strangers.md.
"""

from collections import OrderedDict

from workers.shares import Habit, Pulse

PROMPT_S = 2.0  # many take a second, and need all the slots that one receiver may have
STRANGERS_LEAVE = 4  # a quarter of the slots is for those who answer promptly
SLOW_LEAVE = 8  # and an eighth for those whom nobody has asked: late ones leave it too
HABITS_MAX = 10_000  # names of prompt receivers, and as many of late ones


class Strangers(Pulse):
    """All who are not known to answer promptly, as if they were one destination.

    `active`: the slots that they have, queues included.
    """

    def __init__(self, slots: int) -> None:
        super().__init__(left_at=0.0)
        self._most = max(1, slots - max(1, slots // STRANGERS_LEAVE))
        self._late_most = max(1, self._most - slots // SLOW_LEAVE)
        self._late_active = 0
        self._prompt: OrderedDict[str, None] = OrderedDict()  # last is who held a slot last
        self._late: OrderedDict[str, None] = OrderedDict()

    def habit(self, name: str) -> Habit:
        """Return how a receiver answered lately."""
        if name in self._prompt:
            return Habit.PROMPT
        return Habit.LATE if name in self._late else Habit.UNKNOWN

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

    def remember(self, name: str, habit: Habit) -> None:
        """Keep the habit of a receiver that holds nothing now; forget who was the first to."""
        kept, other = self._prompt, self._late
        if habit is not Habit.PROMPT:
            kept, other = other, kept
        other.pop(name, None)
        if habit is Habit.UNKNOWN:
            kept.pop(name, None)
            return
        kept[name] = None
        kept.move_to_end(name)
        if len(kept) > HABITS_MAX:
            kept.popitem(last=False)


def habit_after(habit: Habit, took_s: float, usual_s: float, *, has_answered: bool) -> Habit:
    """Return the habit of a receiver after one more send. `usual_s`: what its sends take lately.

    Who answers late holds slots as one who hangs: else a single one would leave none to those whom
    nobody has asked. Who refuses at once has not answered, but holds up nobody: nothing changes.
    """
    if has_answered:
        return Habit.PROMPT if usual_s <= PROMPT_S else Habit.LATE
    return Habit.LATE if took_s > PROMPT_S else habit
