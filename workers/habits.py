"""How receivers answered lately: one memory for all senders of a process.

ops/adr/0031-strangers.md.
"""

import threading
from collections import OrderedDict

from workers.shares import Habit

PROMPT_S = 2.0  # many take a second, and need all the slots that one receiver may have
HABITS_MAX = 10_000  # names of prompt receivers, and as many of late ones


class Habits:
    """The names that answered promptly, and those that did not; all others are unknown.

    Threads: any sender may call all of it. The lock is for changes: to look a name up needs none.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._prompt: OrderedDict[str, None] = OrderedDict()  # last is who held a slot last
        self._late: OrderedDict[str, None] = OrderedDict()

    def of(self, name: str) -> Habit:
        """Return how a receiver answered lately."""
        if name in self._prompt:
            return Habit.PROMPT
        return Habit.LATE if name in self._late else Habit.UNKNOWN

    def remember(self, name: str, habit: Habit) -> None:
        """Keep what a sender knows of a receiver; forget who was the first to hold a slot.

        A sender that has learned nothing leaves what another one has.
        """
        if habit is Habit.UNKNOWN:
            return
        kept, other = self._prompt, self._late
        if habit is Habit.LATE:
            kept, other = other, kept
        with self._lock:
            other.pop(name, None)
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
