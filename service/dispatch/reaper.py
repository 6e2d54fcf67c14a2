"""The reaper: takes back attempts whose lease has passed, so that other workers send them."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from service.dispatch.mender import Mender
from service.ledger.leader_store import LeaderStore
from service.logs import logs
from service.metrics import DispatcherMetrics
from service.model.leader import Reaped

REAP_MAX = 1000  # rows per call; if a call returns that many, it is called again
REAP_PAUSE_MIN_S = 1.0  # also if leases expire more often
# Until then the workers that still run have settled: at the latest 5 s after PostgreSQL is back a
# worker gives up a silent connection, or an attempt to connect; it tries again within 1 s, and the
# settle takes less than 1 s more. What is settled even later is stale, and counted.
SETTLE_GRACE_S = 7.0
SETTLE_AGAIN_S = 4.0
STALL_S = 3.0  # the leader hears from PostgreSQL each second


class Reaper:
    """Reaps while its dispatcher leads, but not before live workers had time to settle."""

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
        self._heard_at = -math.inf  # a new leader does not know about silences before
        self._reap_from = math.inf

    def heard(self) -> None:
        """Note that PostgreSQL answered. After a silence, live workers get a grace to settle in.

        A silence during that grace does not begin it again, or nothing would be reaped as long as
        outages follow each other; it only leaves workers time for one more try.
        """
        now = self._clock()
        if now - self._heard_at > STALL_S:
            left_s = self._reap_from - self._heard_at
            again = 0 < left_s < SETTLE_GRACE_S
            self._reap_from = now + (max(left_s, SETTLE_AGAIN_S) if again else SETTLE_GRACE_S)
        self._heard_at = now

    async def reap(self) -> float:
        """Take back every attempt whose lease has passed; return the seconds until the next run.

        That is when the next lease expires. Leases of claims from now on last for at least LEASE_S.
        """
        left = await self._store.next_lease_in()
        self.heard()  # first, as this answer may have taken long
        grace_s = self._reap_from - self._clock()
        if grace_s <= 0 and left is not None and left <= timedelta(0):
            await self._mender.read_clock()  # if it jumped ahead, leases only seem to have passed
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
                await self._log(reaped)
            if sum(row.status != "refused" for row in reaped) < REAP_MAX:
                return

    async def _log(self, reaped: Sequence[Reaped]) -> None:
        """Log a line for each, with its trace, which reap() does not return."""
        traces: Mapping[UUID, str] = {}
        try:
            traces = await self._store.trace_ids([row.id for row in reaped])
        finally:  # they were taken back, whether PostgreSQL still answers or not
            rows = (log_row(row, traces.get(row.id)) for row in reaped)
            logs.transitions("reaped", rows, "WARNING")


def log_row(reaped: Reaped, trace: str | None) -> logs.Row:
    """Name the fields of the log line of one attempt that was taken back."""
    row = {"notification_id": reaped.id, "attempt": reaped.attempt, "status": reaped.status}
    return row if trace is None else row | {"trace_id": trace}
