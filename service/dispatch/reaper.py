"""The reaper: takes back the attempts whose lease has passed, so that they are sent by others."""

import math
import time
from collections.abc import Callable
from datetime import timedelta

from service.dispatch.mender import Mender
from service.ledger.leader_store import LeaderStore
from service.logs import logs
from service.metrics import DispatcherMetrics
from service.model import Reaped

REAP_MAX = 1000  # rows per call; as many as that, and it is called again
REAP_PAUSE_MIN_S = 1.0  # however many leases end
# By then the living have settled: at the latest 5 s after PostgreSQL is back a worker gives up a
# silent connection, or an attempt to connect; it tries again within 1 s, and the settle takes less
# than another one. A row that is settled later all the same is stale, and counted.
SETTLE_GRACE_S = 7.0
SETTLE_AGAIN_S = 4.0
STALL_S = 3.0  # the leader hears from PostgreSQL each second


class Reaper:
    """Reaps while its dispatcher leads, and not before the living had time to settle."""

    def __init__(
        self,
        store: LeaderStore,
        metrics: DispatcherMetrics,
        mender: Mender,
        lease_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._mender = mender
        self._lease_s = lease_s
        self._clock = clock
        self._heard_at = -math.inf  # who leads first does not know how it went before
        self._reap_from = math.inf

    def heard(self) -> None:
        """Note that PostgreSQL answered. After a silence the living may settle before we reap.

        A silence in that grace does not begin it anew, or outages that follow each other would put
        the reaper off for as long as they do; the living have time for one more try.
        """
        now = self._clock()
        if now - self._heard_at > STALL_S:
            left_s = self._reap_from - self._heard_at
            again = 0 < left_s < SETTLE_GRACE_S
            self._reap_from = now + (max(left_s, SETTLE_AGAIN_S) if again else SETTLE_GRACE_S)
        self._heard_at = now

    async def reap(self) -> float:
        """Take back every attempt whose lease has passed; say in how many seconds to come again.

        That is when the next lease passes. One that nobody has yet ends no sooner than LEASE_S.
        """
        left = await self._store.next_lease_in()
        self.heard()  # before anything is reaped: that answer may have taken long
        grace_s = self._reap_from - self._clock()
        if grace_s <= 0 and left is not None and left <= timedelta(0):
            await self._mender.read_clock()  # after a jump of the ledger's no lease has passed
            grace_s = self._mender.reap_in_s
            if grace_s <= 0:
                await self._take_back()
                left = await self._store.next_lease_in()
        self._metrics.reaper_runs.inc()
        left_s = self._lease_s if left is None else left.total_seconds()
        return max(grace_s, left_s, REAP_PAUSE_MIN_S)

    async def _take_back(self) -> None:
        grace = timedelta(seconds=SETTLE_GRACE_S)
        while True:
            reaped = await self._store.reap(REAP_MAX, grace)
            for row in reaped:
                self._metrics.reaped.labels(row.status).inc()
            if reaped:
                logs.transitions("reaped", (log_row(row) for row in reaped), "WARNING")
            if sum(row.status != "refused" for row in reaped) < REAP_MAX:
                return


def log_row(reaped: Reaped) -> logs.Row:
    """Name the fields of a log line on a lease that had passed."""
    return {"notification_id": reaped.id, "attempt": reaped.attempt, "status": reaped.status}
