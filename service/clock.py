"""What time it is. The ledger's clock is the one that all processes share; monotonic carries it on.

Whose clock is wrong, nobody can say of two that disagree, but for one thing: they agreed before,
and since then only one of them has jumped. ops/adr/0018-clocks.md.
"""

import time
from collections.abc import Callable

AGREE_S = 5.0  # clocks that are closer say the same
ANSWER_MAX_S = 1.0  # a slower answer does not say when the clock was read


class Clock:
    """The ledger's time in this process. Any thread may ask; before the first reading: our own."""

    def __init__(
        self,
        own: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._own = own
        self._monotonic = monotonic
        # Each is the time (epoch s) at which monotonic was 0.
        self._ledger: float | None = None
        self._agreed: float | None = None

    def read(self, now_s: float, asked_at: float) -> float:
        """Take a reading of the ledger's clock that was asked for at `asked_at` (monotonic).

        Returns by how many seconds it jumped since the last reading: forward, or back (below 0).
        """
        answered_at, before = self._monotonic(), self._ledger
        if before is not None and answered_at - asked_at > ANSWER_MAX_S:
            return 0.0
        self._ledger = now_s - (asked_at + answered_at) / 2
        if abs(self._own_zero() - self._ledger) <= AGREE_S:
            self._agreed = self._ledger
        jumped_s = 0.0 if before is None else self._ledger - before
        return jumped_s if abs(jumped_s) > AGREE_S else 0.0

    def now(self) -> float:
        """Give the time, in seconds since 1970."""
        monotonic, ledger = self._monotonic(), self._ledger
        own = self._own()
        if ledger is None:
            return own
        now = ledger + monotonic
        if self._agreed is None or abs(own - now) <= AGREE_S:
            return now
        agreed = self._agreed + monotonic
        return min(now, own, key=lambda time_s: abs(time_s - agreed))

    def skew_s(self) -> float | None:
        """Say how far our own clock is ahead of the ledger's; None: it was never read."""
        return None if self._ledger is None else self._own_zero() - self._ledger

    def _own_zero(self) -> float:
        return self._own() - self._monotonic()
