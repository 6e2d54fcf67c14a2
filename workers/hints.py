"""What to claim next: ids from the ready set, or any that are due when it is away or silent."""

import math
import time

from service.errors import RedisAway
from service.logs.outage import Outage
from service.logs.seldom import Seldom
from service.metrics import WorkerMetrics
from workers.ready_set import ReadySet

BLOCK_S = 0.25  # a pop cannot be interrupted: this bounds the wait on shutdown
IDLE_S = 1.0  # a dead dispatcher must not stop delivery
LOOK_EVERY_S = 5.0  # between looks for a dispatcher, while due rows come without an offer
MISSES_MIN = 2  # the first may be of a leader that has just begun
REDIS_RETRY_MIN_S = 1.0
REDIS_RETRY_MAX_S = 5.0  # trying may take a second, in which nothing is claimed

Ids = list[str] | None  # None: any that are due
NOTHING: list[str] = []


class Hints:
    """Decides between the ready set and PostgreSQL itself; it is the claimer's, and blocks it."""

    def __init__(self, ready_set: ReadySet | None, metrics: WorkerMetrics) -> None:
        self.ready_set = ready_set
        self.metrics = metrics
        self.junk = Seldom("no_ids_of_ours_in_the_ready_set")
        self.outage = Outage("redis", role="worker")
        self.retry_s = REDIS_RETRY_MIN_S
        self.retry_at = 0.0
        self.asked_at = time.monotonic()  # when ids came, or any that are due were asked for
        self.misses = 0  # looks in a row that found no dispatcher
        self.look_at = -math.inf
        self.nobody = Seldom("nobody_offers_in_this_redis")
        self.unoffered = False  # that question found some: ask again soon

    def use(self, ledger: str) -> None:
        """Take the hints of this ledger."""
        if self.ready_set is not None:
            self.ready_set.use(ledger)

    def next(self, limit: int) -> Ids:
        """Return ids to claim, nothing yet, or None. Waits a little for the first id."""
        if self.ready_set is None or time.monotonic() < self.retry_at:
            return None
        try:
            ids = self.ready_set.pop(limit, 0.001 if self.unoffered else BLOCK_S)
        except RedisAway as error:
            self.lost(error)
            return None
        self.found()
        if self.ready_set.dropped:
            self.drop(self.ready_set.dropped)
        now = time.monotonic()
        if ids:
            self.asked_at = now
            self.unoffered = False
            if self.misses:
                self.see_offers(True)
        elif self.unoffered or now - self.asked_at >= IDLE_S:
            self.asked_at = now
            return None
        return ids

    def answered(self, count: int) -> None:
        """Tell how many the question for any that are due has found."""
        self.unoffered = count > 0
        now = time.monotonic()
        if not count or self.ready_set is None or now < max(self.look_at, self.retry_at):
            return
        self.look_at = now + LOOK_EVERY_S
        try:
            self.see_offers(self.ready_set.is_offered_to())
        except RedisAway as error:
            self.lost(error)

    def see_offers(self, found: bool) -> None:
        """Tell if no dispatcher offers in this Redis: maybe it uses another one."""
        self.misses = 0 if found else self.misses + 1
        is_alone = self.misses >= MISSES_MIN
        self.metrics.redis_unoffered.set(is_alone)
        if is_alone:
            self.nobody.happened(hint="does the dispatcher have the same REDIS_URL? notify doctor")

    def drop(self, count: int) -> None:
        """Count and tell members that are no ids: somebody else writes into our keys."""
        self.metrics.hints_dropped.inc(count)
        self.junk.happened(count)

    def lost(self, error: RedisAway) -> None:
        """Go on without Redis, and try it again later."""
        self.outage.away(error)
        self.retry_at = time.monotonic() + self.retry_s
        self.retry_s = min(self.retry_s * 2, REDIS_RETRY_MAX_S)

    def found(self) -> None:
        """Note that Redis answers."""
        self.outage.back()
        self.retry_s = REDIS_RETRY_MIN_S

    def close(self) -> None:
        """Close the connection."""
        if self.ready_set is not None:
            self.ready_set.close()
