"""The leader's care for pauses: what is paused leaves the head of the queue, and comes back.

ops/adr/0027-pauses.md says where it waits, and why claims look at the pauses as well.
"""

import time
from collections.abc import Callable

from service.dispatch.batch import Batch
from service.ledger.leader_store import LeaderStore

ASIDE_MAX = 5000  # rows of each lane that a call looks at: what workers are offered next is in them
BACK_MAX = 5000  # due in each lane at most, while rows come back: half of what is offered
STRAYS_MAX = 5000  # of one call
BUDGET_S = 1.0  # per turn
PAUSED_S = 1.0  # between two turns while something is paused
COMES_BACK_S = 0.2  # while something comes back
STRAYS_S = 5.0  # between two looks for what waits for a pause that is not there


class Pauses:
    """Sets aside what is paused and due, and brings back what was resumed."""

    def __init__(self, store: LeaderStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._aside, self._back = Batch(ASIDE_MAX), Batch(BACK_MAX)
        self._strays = Batch(STRAYS_MAX)
        self._strays_at = clock()

    async def keep(self) -> float | None:
        """Do what there is to do; return the seconds until more may come, None: nothing is paused.

        What was resumed comes back even where nothing can be set aside. Strays come first: whatever
        fails, they come back, and where they cannot, the turns until the next look do the rest.
        """
        await self._bring_strays_back()
        try:
            aside = await self._set_aside()
        except Exception:
            await self._back.ask(self._store.bring_back)
            raise
        back = 0 if aside is None else await self._back.ask(self._store.bring_back)
        if aside is None:
            return None
        return COMES_BACK_S if back or aside >= ASIDE_MAX // 2 else PAUSED_S

    async def _set_aside(self) -> int | None:
        """Go on at once as long as most of what it looks at is paused: there may be a million."""
        ends_at = self._clock() + BUDGET_S
        while True:
            aside = await self._aside.ask(self._store.set_due_aside)
            if aside is None or aside < ASIDE_MAX // 2 or self._clock() >= ends_at:
                return aside

    async def _bring_strays_back(self) -> None:
        """Look for strays now and then, also where nothing is paused: there they come from."""
        if self._clock() >= self._strays_at:
            self._strays_at = self._clock() + STRAYS_S
            await self._strays.ask(self._store.bring_strays_back)
