"""The paces of destinations that throttle, and which of their URLs are left alone.

A destination is known here only while it throttles, so that the others cost one lookup in a dict.
What is over its pace goes back to `queued`: it holds no slot. ops/adr/0009-pace.md says why.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Iterable

from loguru import logger
from msgspec.structs import replace

from service.model.words import Outcome
from service.names.origin import origin
from workers.claim import Claim, Parked, Unstarted, Verdict
from workers.hold import Hold
from workers.pace import FORGET_S, TAKES_NOTHING, Pace
from workers.returns import DELAY_MAX_S, NEAR_S, park_until

PROBE_WITHIN_S = 10.0  # after an operator has asked: the row that is let through comes in 2 s
BEHIND_PROBE_S = 1.0  # what meets it under way comes back then: it may be the end of the pause
OVERDUE_PER_S = 10.0
KNOWN_MAX = 10_000
COUNT_S = 1.0
TAKEN = (Outcome.SENT, Outcome.PERMANENT, Outcome.DEFERRED)


class Paces:
    """The paces of one worker process.

    Threads: any sender may call all of it, and the heart let_through. The lock is for what changes:
    to look whether a destination is known needs none.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Pace] = OrderedDict()  # the last to throttle comes last
        self._held: OrderedDict[str, Hold] = OrderedDict()  # by URL; only of known destinations
        self._counted_at = -math.inf

    @property
    def is_empty(self) -> bool:
        """Whether no destination throttles."""
        return not self._known

    def park(self, claim: Claim, name: str, now: float) -> Unstarted | None:
        """Park a claim that has to wait for its destination. None: it may be sent now."""
        if name not in self._known:
            return None
        with self._lock:
            pace = self._current(name, now)
            return None if pace is None else self._park(claim, pace, now)

    def report(
        self, claim: Claim, name: str, verdict: Verdict, started_at: float, now: float
    ) -> Verdict:
        """Learn what came of a send; return the verdict, with the wait if it was throttled."""
        throttled = verdict.outcome is Outcome.THROTTLED
        if not throttled and name not in self._known:
            return verdict
        with self._lock:
            if throttled:
                pace = self._note_refusal(name, started_at, now)
                hold = self._hold(claim.recipient)
                hold.note_refusal(verdict.retry_after_s, started_at, now)
                return replace(
                    verdict, retry_after_s=wait_s(claim, pace, hold, now, self._throttling(now))
                )
            if verdict.outcome in TAKEN:
                self._note_taken(claim, name, started_at, now)
        return verdict

    def let_through(self, name: str, urls: Iterable[str], now: float) -> None:
        """Let one row pass, and one to each of its URLs and of these, in spite of their pauses.

        One request is what it may cost a receiver that has said "not now", when an operator knows
        better. If it is refused again, the pause goes on, and is as long as the receiver then asks.
        """
        with self._lock:
            pace = self._known.get(name)
            own = [hold for url, hold in self._held.items() if origin(url) == name]
            for known in (pace, *own, *map(self._held.get, urls)):
                if known is not None:
                    known.probe_until = now + PROBE_WITHIN_S

    def knows(self, name: str) -> bool:
        """Return whether it has throttled lately."""
        return name in self._known

    def _park(self, claim: Claim, pace: Pace, now: float) -> Unstarted | None:
        """Park a row whose URL is held, or that is over the pace. None: it may be sent now.

        A row beyond its patience heeds the pace alone, and at least OVERDUE_PER_S where nothing is
        taken: rows would gather there and never end.
        """
        overdue = claim.patience_ends <= now
        hold = None if overdue else self._held.get(claim.recipient)
        if hold is not None and hold.until > now:
            if hold.takes_probe(now):
                pace.probe_until = -math.inf  # that is its probe, too
                return None
            if now < hold.probe_at + PROBE_WITHIN_S:
                return park_until(claim, now + BEHIND_PROBE_S, now, Parked.URL)
            back_at = hold.back.next(claim, hold.until, pace.back_per_s, self._throttling(now))
            return park_until(claim, back_at, now, Parked.URL)
        least_per_s = OVERDUE_PER_S if overdue and pace.lowered >= TAKES_NOTHING else 0.0
        if pace.admits(now, max(pace.per_s, least_per_s)) or pace.takes_probe(now):
            return None
        back_at = pace.back.next(
            claim, now, max(pace.back_per_s, least_per_s), self._throttling(now)
        )
        return park_until(claim, back_at, now, Parked.PACE)

    def _note_refusal(self, name: str, started_at: float, now: float) -> Pace:
        """Know a destination from its first refusal on, and lower its pace if it has to fall."""
        pace = self._current(name, now) or self._known.setdefault(name, Pace(quiet_from=now))
        if pace.note_refusal(started_at, now):
            logger.warning("pace_lowered", destination=name, per_s=pace.per_s)
        self._known.move_to_end(name)
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return pace

    def _throttling(self, now: float) -> int:
        """Count the destinations that share what comes back; once in COUNT_S, forget old ones."""
        if now >= self._counted_at + COUNT_S:
            self._counted_at = now
            for name in list(self._known):
                self._current(name, now)
        return len(self._known)

    def _note_taken(self, claim: Claim, name: str, started_at: float, now: float) -> None:
        """Learn that a destination took a send at this URL."""
        if pace := self._current(name, now):
            pace.note_taken(started_at)
        if hold := self._held.get(claim.recipient):
            hold.note_taken(started_at, now)

    def _hold(self, url: str) -> Hold:
        """Know a URL from its first refusal on."""
        hold = self._held.setdefault(url, Hold())
        self._held.move_to_end(url)
        if len(self._held) > KNOWN_MAX:
            self._held.popitem(last=False)
        return hold

    def _current(self, name: str, now: float) -> Pace | None:
        """Return what is known of a destination; forget it FORGET_S after it last throttled."""
        pace = self._known.get(name)
        if pace is None or now - pace.quiet_from <= FORGET_S:
            return pace
        del self._known[name]
        if pace.per_s < math.inf:
            logger.info("pace_forgotten", destination=name, per_s=round(pace.per_s, 1))
        return None


def wait_s(claim: Claim, pace: Pace, hold: Hold, now: float, throttling: int) -> float | None:
    """Return how long a row that was throttled has to wait. None: the ledger decides.

    `throttling`: how many destinations do.
    """
    if hold.until > now:
        pace.quiet_from = max(pace.quiet_from, hold.until)
        if hold.takes_nothing:
            return hold.until + NEAR_S - now  # later than others, so that another row asks first
        return min(
            hold.back.next(claim, hold.until, pace.back_per_s, throttling) - now, DELAY_MAX_S
        )
    if pace.per_s == math.inf:
        return None
    return pace.back.next(claim, now, pace.back_per_s, throttling) - now
