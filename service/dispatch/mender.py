"""The leader watches the ledger's clock, and pulls back what a clock that was ahead has put off.

After a jump nothing is forgotten for a day: what looks old by a wrong clock may be minutes old.
ops/adr/0018-clocks.md says what proves that it was ahead, and why nothing else is touched.
"""

import math
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from loguru import logger

from service.clock import Clock, since_boot
from service.ledger.leader_store import LeaderStore, Stretch
from service.metrics import DispatcherMetrics
from service.model.words import LANES

ROWS_MAX = 1000  # per call
CALLS_MAX = 1000  # per stretch and lane
DAYS_MAX = 16  # that one call opens, as each costs locks
DOUBT_S = 86400.0  # after a jump of more nothing is forgotten for a day


class Mender:
    """Notices when the clock jumps while it leads, and finds the traces of earlier jumps."""

    def __init__(
        self,
        store: LeaderStore,
        metrics: DispatcherMetrics,
        lease_s: float,
        boot: Callable[[], float] = since_boot,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._lease_s = lease_s
        self._clock = Clock()
        self._went_back = False  # since the last mending
        self._mended: datetime | None = None  # the newest created_at when we last mended
        self._reap_from = -math.inf  # monotonic
        self._awake_clock = Clock(monotonic=boot)  # of a machine that slept it sees no jump
        self._doubts = False  # and the ledger does not know it yet
        self._waits = False  # with what is to be forgotten

    @property
    def reap_in_s(self) -> float:
        """Return the seconds for which a lease that seems to have passed may still be valid."""
        return self._reap_from - time.monotonic()

    async def look(self) -> None:
        """Read the clock; once after each time that it was ahead, repair due_at and lease_until."""
        now_s = await self.read_clock()
        newest = await self._store.born_ahead()
        ahead_s = 0.0 if newest is None else newest.timestamp() - now_s
        self._metrics.created_ahead.set(ahead_s)
        if self._went_back or newest not in (None, self._mended):
            await self._mend(ahead_s)
            self._went_back, self._mended = False, newest
        await self._note_doubt()

    async def doubt_s(self) -> float:
        """Return how far the ledger's clock is ahead of this machine's: one of them is wrong."""
        await self.read_clock()
        return max(0.0, -(self._clock.skew_s() or 0.0))

    async def may_forget(self) -> bool:
        """Read the clock; return whether what looks old may be lost for good."""
        await self.read_clock()
        await self._note_doubt()
        until = await self._store.forget_from()
        if until and not self._waits:
            logger.warning("forgetting_waits", until=until.isoformat())
        self._waits = until is not None
        return until is None

    async def read_clock(self) -> float:
        """Read the clock. After a jump ahead every lease seems to have passed: do not reap yet."""
        asked_at, awake_at = time.monotonic(), self._awake_clock.monotonic()
        _, now_s = await self._store.ledger()
        if abs(self._awake_clock.take_reading(now_s, awake_at)) > DOUBT_S:
            self._doubts = True
        jumped_s = self._clock.take_reading(now_s, asked_at)
        self._metrics.clock_skew.set(self._clock.skew_s())
        if jumped_s:
            logger.warning("ledger_clock_jumped", seconds=round(jumped_s, 1))
            self._went_back = self._went_back or jumped_s < 0
            if jumped_s > 0:
                self._reap_from = time.monotonic() + self._lease_s
        return now_s

    async def _note_doubt(self) -> None:
        """Write down that nothing may be forgotten for a day, if it jumped so far."""
        if self._doubts:
            await self._store.doubt_clock()
            self._doubts = False

    async def _mend(self, ahead_s: float) -> None:
        due = leases = 0
        for stretch in await self._store.stretches(DAYS_MAX):
            for lane in LANES:
                due += await self._mend_due(stretch, lane)
            leases += await self._mend_leases(stretch)
        self._metrics.mended.labels("due").inc(due)
        self._metrics.mended.labels("lease").inc(leases)
        logger.warning("clock_mended", ahead_s=round(ahead_s, 1), due=due, leases=leases)

    async def _mend_due(self, stretch: Stretch, lane: int) -> int:
        total, after = await self._store.mend_due(stretch, lane, None, ROWS_MAX)
        for _ in range(CALLS_MAX):
            if after is None:
                break
            mended, after = await self._store.mend_due(stretch, lane, after, ROWS_MAX)
            total += mended
        return total

    async def _mend_leases(self, stretch: Stretch) -> int:
        total, lease = 0, timedelta(seconds=self._lease_s)
        for _ in range(CALLS_MAX):
            cut = await self._store.mend_leases(stretch, lease, ROWS_MAX)
            total += cut
            if cut < ROWS_MAX:
                break
        return total
