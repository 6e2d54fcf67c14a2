"""The pace of destinations that throttle: it falls with refusals, and rises with what they take.

A destination is known here only while it throttles, so that the others cost one lookup in a dict.
What is over its pace goes back to `queued`: it holds no slot. ops/adr/0009-pace.md says why.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil

from loguru import logger
from msgspec.structs import replace

from service.model.words import Outcome
from workers.claim import Claim, Parked, Unstarted, Verdict

REFUSED_SHARE = 1 / 8  # of the answers: the refusals of one of many tenants slow nobody else
SMOOTHING = 1 / 16
START_PER_S = 8.0  # a guess: it doubles each second until the destination throttles again
LEAST_PER_S = 0.25
LOWER = 0.7
ROUND_S = 1.0  # between two lowerings, at least: receivers count by the second, or longer
RISE_S = 8.0  # each second adds an eighth of the pace at which it last throttled
RISE_MIN_PER_S = 1.0
FORGET_S = 60.0  # a destination that has not throttled for this long has no pace

TICK_S = 1 / 16  # rows come back in 16 groups a second: each costs a call of release
BURST_S = TICK_S  # sends that are due within it leave at once
AHEAD = 2  # rows come back at this multiple of the pace, which may rise meanwhile
UNSURE_PER_S = 50.0  # at least this many come back until it throttles for the second time
NEAR_S = 8.0  # within it each row has a place of its own; later rows only come to ask again
FAR_PER_S = 1000
DELAY_MAX_S = 3600.0

PROBE_WITHIN_S = 10.0  # after an operator has asked: the row that is let through comes in 2 s
BEHIND_PROBE_S = 1.0  # what meets it under way comes back then: it may be the end of the pause

HELD_FROM = 3  # from this refusal in a row on, the URL is left alone for 1, 2, 4 … seconds
HELD_MAX_S = 30.0
TAKES_NOTHING = 5  # after this many lowerings in a row: the destination takes nothing at all
OVERDUE_PER_S = 10.0
KNOWN_MAX = 10_000
TAKEN = (Outcome.SENT, Outcome.PERMANENT, Outcome.DEFERRED)


@dataclass(slots=True)
class Returns:
    """When parked rows come back: one after another, and beyond NEAR_S only to ask again."""

    near: float = -math.inf
    far: float = -math.inf

    def next(self, earliest: float, per_s: float) -> float:
        """Find the time for one more row, not before `earliest`."""
        near = max(self.near, earliest) + 1 / per_s
        if near <= earliest + NEAR_S:
            self.near = near
            return near
        self.far = max(self.far, earliest + NEAR_S) + 1 / FAR_PER_S
        return self.far


@dataclass(slots=True)
class Hold:
    """A URL that is left alone: its receiver named a time, or takes nothing."""

    until: float = -math.inf
    rounds_refused: int = 0  # rounds since it last took something, or was quiet for FORGET_S
    refused_at: float = -math.inf
    probe_until: float = -math.inf  # until then one row may pass: an operator has asked for it
    probe_at: float = -math.inf  # when that one began, while nobody knows what came of it
    back: Returns = field(default_factory=Returns)

    def takes_probe(self, now: float) -> bool:
        """Let one row pass, if an operator has asked for it."""
        if now >= self.probe_until:
            return False
        self.probe_until, self.probe_at = -math.inf, now
        return True

    def note_taken(self, started_at: float, now: float) -> None:
        """Learn that something was taken: of a probe, that the URL need not be left alone."""
        self.rounds_refused = 0
        if started_at == self.probe_at:
            self.until = now

    def note_refusal(self, retry_after_s: float | None, started_at: float, now: float) -> None:
        """Learn of a refusal: wait as long as the receiver asks, and longer with each round."""
        self.probe_at = -math.inf
        if started_at > max(self.until, self.refused_at) + FORGET_S:
            self.rounds_refused = 0  # another process may have sent what was taken since
        if started_at >= self.refused_at + ROUND_S:
            self.rounds_refused, self.refused_at = self.rounds_refused + 1, now
        wait_s = retry_after_s or 0.0
        if self.takes_nothing:
            wait_s = max(wait_s, min(2.0 ** min(self.rounds_refused - HELD_FROM, 9), HELD_MAX_S))
        self.until = max(self.until, now + min(wait_s, DELAY_MAX_S))

    @property
    def takes_nothing(self) -> bool:
        """Whether it has refused HELD_FROM rounds in a row."""
        return self.rounds_refused >= HELD_FROM


@dataclass(slots=True)
class Pace:
    """One destination that throttles; all times are monotonic."""

    quiet_from: float  # since when nothing keeps it from being forgotten
    per_s: float = math.inf  # inf: no limit yet, only the share of refusals is counted
    refused_share: float = 0.0
    throttled_per_s: float = math.inf  # the pace at which it last throttled; inf: none yet
    lowered_at: float = -math.inf
    sent_at: float = -math.inf  # when the last send would have been, at exactly the pace
    lowered: int = 0  # how often in a row
    probe_until: float = -math.inf  # until then one row may pass: an operator has asked for it
    back: Returns = field(default_factory=Returns)

    @property
    def back_per_s(self) -> float:
        """How many parked rows come back in a second."""
        return max(self.per_s * AHEAD, UNSURE_PER_S if self.throttled_per_s == math.inf else 0.0)

    def admits(self, now: float, per_s: float) -> bool:
        """Return whether a send may leave now, and count it if so."""
        at = self.sent_at + 1 / per_s
        if at > now + BURST_S:
            return False
        self.sent_at = max(at, now)
        return True

    def takes_probe(self, now: float) -> bool:
        """Let one row pass, if an operator has asked for it."""
        is_asked, self.probe_until = now < self.probe_until, -math.inf
        return is_asked

    def note_refusal(self, started_at: float, now: float) -> bool:
        """Lower the pace if too many are refused; say whether it is the first time.

        What was under way when the pace fell says nothing about the new one.
        """
        self.refused_share += (1 - self.refused_share) * SMOOTHING
        self.quiet_from = max(self.quiet_from, now)
        if self.refused_share < REFUSED_SHARE or started_at < self.lowered_at + ROUND_S:
            return False
        is_first = self.per_s == math.inf
        if is_first:
            self.per_s, self.sent_at = START_PER_S, now
        else:
            self._lower()
        self.lowered_at = now
        return is_first

    def note_taken(self, started_at: float) -> None:
        """Raise the pace a little: at most to the double in a second, if all is taken."""
        self.refused_share -= self.refused_share * SMOOTHING
        if started_at >= self.lowered_at:
            if self.lowered >= TAKES_NOTHING:
                self.throttled_per_s = math.inf  # the old pace says nothing any more
            step_per_s = max(RISE_MIN_PER_S, self.throttled_per_s / RISE_S)
            self.per_s += min(self.per_s, 1.0, step_per_s / self.per_s)
            self.lowered = 0

    def _lower(self) -> None:
        """Lower the pace."""
        if not self.lowered:
            self.throttled_per_s = self.per_s
        self.per_s = max(LEAST_PER_S, self.per_s * LOWER)
        self.lowered += 1


class Paces:
    """The paces of one worker process.

    Threads: any sender may call all of it, and the heart let_through. The lock is for what changes:
    to look whether a destination is known needs none.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Pace] = OrderedDict()  # the last to throttle comes last
        self._held: OrderedDict[str, Hold] = OrderedDict()  # by URL; only of known destinations

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
                return replace(verdict, retry_after_s=wait_s(pace, hold, now))
            if verdict.outcome in TAKEN:
                self._note_taken(claim, name, started_at, now)
        return verdict

    def let_through(self, name: str, urls: Iterable[str], now: float) -> None:
        """Let one row pass, and one to each of these URLs, in spite of a pause that it asked for.

        One request is what it may cost a receiver that has said "not now", when an operator knows
        better. If it is refused again, the pause goes on, and is as long as the receiver then asks.
        """
        with self._lock:
            pace = self._known.get(name)
            for known in (pace, *map(self._held.get, urls)):
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
            back_at = hold.back.next(hold.until, pace.back_per_s)
            return park_until(claim, back_at, now, Parked.URL)
        least_per_s = OVERDUE_PER_S if overdue and pace.lowered >= TAKES_NOTHING else 0.0
        if pace.admits(now, max(pace.per_s, least_per_s)) or pace.takes_probe(now):
            return None
        back_at = pace.back.next(now, max(pace.back_per_s, least_per_s))
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


def wait_s(pace: Pace, hold: Hold, now: float) -> float | None:
    """Return how long a row that was throttled has to wait. None: the ledger decides."""
    if hold.until > now:
        pace.quiet_from = max(pace.quiet_from, hold.until)
        if hold.takes_nothing:
            return hold.until + NEAR_S - now  # later than others, so that another row asks first
        return min(hold.back.next(hold.until, pace.back_per_s) - now, DELAY_MAX_S)
    return None if pace.per_s == math.inf else pace.back.next(now, pace.back_per_s) - now


def park_until(claim: Claim, at: float, now: float, reason: Parked) -> Unstarted:
    """Park a claim until `at`, or until it expires or its patience ends.

    Rounded up, because each different delay of a batch costs a call of release.
    """
    ends = [end for end in (claim.expires_at, claim.patience_ends) if end is not None and end > now]
    wait_s = min(at - now, DELAY_MAX_S, *[end - now for end in ends])
    delay_s = ceil(wait_s) if wait_s > NEAR_S else ceil(wait_s / TICK_S) * TICK_S
    return Unstarted(claim=claim, delay_s=delay_s, parked=reason)
