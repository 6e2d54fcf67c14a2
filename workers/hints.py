"""What to claim next: ids of the ready set, or any that are due if Redis is away or silent."""

import math
import time

from service.errors import RedisAway
from service.logs.outage import Outage
from service.logs.seldom import Seldom
from service.metrics import WorkerMetrics
from service.redis_answers import LATE_S, SLOW, LateAnswers
from workers.ready_set import ReadySet

BLOCK_S = 0.5  # a pop cannot be interrupted: this bounds the wait on shutdown
ASK_S = 0.001  # so long waits a pop that is only to see what is there
IDLE_S = 1.0  # a dead dispatcher must not stop delivery
LOOK_EVERY_S = 5.0  # between looks for a dispatcher, while due rows come without an offer
MISSES_MIN = 2  # at the first, a leader may just have begun
REDIS_RETRY_MIN_S = 1.0
REDIS_RETRY_MAX_S = 5.0  # trying may take a second, in which nothing is claimed
LATE_MAX_S = 2.0  # an answer that takes longer took it for our own standing still
LATE_RETRIES = 20.0  # after a late answer, so many times what it took: trying costs a twentieth

Ids = list[str] | None  # None: any that are due
NOTHING: list[str] = []


class Hints:
    """Decides between the ready set and PostgreSQL itself. The claimer waits in `next`."""

    def __init__(self, ready_set: ReadySet | None, metrics: WorkerMetrics) -> None:
        self._ready_set = ready_set
        self._metrics = metrics
        self._junk_warning = Seldom("no_ids_of_ours_in_the_ready_set")
        self._outage = Outage("redis", role="worker")
        self._retry_s = REDIS_RETRY_MIN_S
        self._retry_at = 0.0
        self._late_answers = LateAnswers()
        self._in_doubt = False  # whether ids, or their answer, came late: a short pop shows it
        self._asked_at = time.monotonic()  # when ids came, or any that are due were asked for
        self._misses = 0  # how often in a row no dispatcher was found
        self._look_at = -math.inf
        self._lonely_warning = Seldom("nobody_offers_in_this_redis")
        self._unoffered = False  # due rows came without an offer: there may be more

    @property
    def are_urgent(self) -> bool:
        """Whether the last ids came from the first lane."""
        return self._ready_set is not None and self._ready_set.is_urgent

    def use(self, ledger: str) -> None:
        """Take the hints of this ledger."""
        if self._ready_set is not None:
            self._ready_set.use(ledger)

    def next(self, limit: int) -> Ids:
        """Return ids to claim, nothing yet, or None. Waits a little for the first id."""
        if self._ready_set is None or time.monotonic() < self._retry_at:
            return None
        block_s = ASK_S if self._unoffered or self._in_doubt else BLOCK_S
        began = time.monotonic()
        try:
            ids = self._ready_set.pop(limit, block_s)
        except RedisAway as error:
            self._note_away(error)
            return None
        self._note_answer(time.monotonic() - began, 0.0 if ids else block_s, block_s)
        if self._ready_set.dropped:
            self._drop(self._ready_set.dropped)
        now = time.monotonic()
        if ids:
            self._asked_at = now
            self._unoffered = False
            if self._misses:
                self._see_offers(True)
        elif self._unoffered or self._outage.lasts or now - self._asked_at >= IDLE_S:
            self._asked_at = now
            return None
        return ids

    def answered(self, count: int) -> None:
        """Note how many rows were claimed when any that are due were asked for."""
        self._unoffered = count > 0
        now = time.monotonic()
        if not count or self._ready_set is None or now < max(self._look_at, self._retry_at):
            return
        self._look_at = now + LOOK_EVERY_S
        try:
            self._see_offers(self._ready_set.is_offered_to())
        except RedisAway as error:
            self._note_away(error)

    def close(self) -> None:
        """Close the connection."""
        if self._ready_set is not None:
            self._ready_set.close()

    def _see_offers(self, is_offered: bool) -> None:
        """Warn if no dispatcher offers in this Redis: it may be using another one."""
        self._misses = 0 if is_offered else self._misses + 1
        is_alone = self._misses >= MISSES_MIN
        self._metrics.redis_unoffered.set(is_alone)
        if is_alone:
            self._lonely_warning.happened(
                hint="does the dispatcher have the same REDIS_URL? notify doctor"
            )

    def _drop(self, count: int) -> None:
        """Count and log members that are no ids: somebody else writes into our keys."""
        self._metrics.hints_dropped.inc(count)
        self._junk_warning.happened(count)

    def _note_answer(self, took_s: float, least_s: float, most_s: float) -> None:
        """Note how late Redis answered what it could wait for, from `least_s` up to `most_s`."""
        self._in_doubt = took_s > least_s + LATE_S
        if self._late_answers.note(took_s - most_s, was_away=self._outage.lasts):
            self._note_away(RedisAway(SLOW), min(took_s, LATE_MAX_S) * LATE_RETRIES)
        else:
            self._note_back()

    def _note_away(self, error: RedisAway, retry_min_s: float = 0.0) -> None:
        """Go on without Redis, and try it again later."""
        self._outage.away(error)
        self._in_doubt = True
        self._retry_at = time.monotonic() + max(self._retry_s, retry_min_s)
        self._retry_s = min(self._retry_s * 2, REDIS_RETRY_MAX_S)

    def _note_back(self) -> None:
        """Note that Redis answers."""
        self._outage.back()
        self._retry_s = REDIS_RETRY_MIN_S
