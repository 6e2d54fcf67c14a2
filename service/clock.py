"""The time by the ledger's clock, which all processes share, carried on by the monotonic clock.

If the ledger's clock and ours disagree, nobody can say which is wrong, except by this: they agreed
before, and only one of them has jumped since. ops/adr/0018-clocks.md.
"""

import time
from collections.abc import Callable

AGREE_S = 5.0  # clocks that differ by no more than this agree
ANSWER_MAX_S = 1.0  # of a slower answer nobody knows when the clock was read
BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)  # Linux only


def since_boot() -> float:
    """Give the seconds since this machine started, with those for which it slept.

    time.monotonic() leaves these out on Linux. Never compare one with the other: what the machine
    has slept since it started lies between them. Where there is no such clock, it is monotonic.
    """
    return time.monotonic() if BOOT_CLOCK is None else time.clock_gettime(BOOT_CLOCK)


class Clock:
    """The ledger's time in this process; before the first reading our own. Any thread may ask.

    `monotonic`: what carries it on. By since_boot() it is right at once when the machine has slept;
    by time.monotonic() that counts as a jump, as the leader wants it.
    """

    def __init__(
        self,
        own: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._own = own
        self.monotonic = monotonic
        # A clock is kept as the time (epoch s) that it shows where monotonic is 0.
        self._ledger: float | None = None  # at the last reading
        self._agreed: float | None = None  # when the ledger's and ours last agreed
        self._own_then: float | None = None  # ours, at the last reading

    def take_reading(self, now_s: float, asked_at: float) -> float:
        """Take a reading of the ledger's clock that was asked for at `asked_at` (by `monotonic`).

        Returns the seconds by which it jumped since the last reading: above 0 ahead, below 0 back.
        """
        answered_at, before = self.monotonic(), self._ledger
        # After a jump a time that may be wrong by seconds is better than one that is for sure.
        most_s = AGREE_S if self.has_moved() else ANSWER_MAX_S
        if before is not None and answered_at - asked_at > most_s:
            return 0.0
        self._ledger = now_s - (asked_at + answered_at) / 2
        self._own_then = self._own_zero()
        if abs(self._own_then - self._ledger) <= AGREE_S:
            self._agreed = self._ledger
        jumped_s = 0.0 if before is None else self._ledger - before
        return jumped_s if abs(jumped_s) > AGREE_S else 0.0

    def now(self) -> float:
        """Give the time, in seconds since 1970."""
        monotonic, ledger = self.monotonic(), self._ledger
        own = self._own()
        if ledger is None:
            return own
        now = ledger + monotonic
        if self._agreed is None or abs(own - now) <= AGREE_S:
            return now
        agreed = self._agreed + monotonic
        return min(now, own, key=lambda time_s: abs(time_s - agreed))

    def has_moved(self) -> bool:
        """Return whether our own clock has jumped since the last reading: then take another one.

        The ledger's may have gone with it, as both do when one machine has slept, or was set.
        """
        return self._own_then is not None and abs(self._own_zero() - self._own_then) > AGREE_S

    def skew_s(self) -> float | None:
        """Return how far our own clock is ahead of the ledger's; None: that was never read."""
        return None if self._ledger is None else self._own_zero() - self._ledger

    def _own_zero(self) -> float:
        return self._own() - self.monotonic()
