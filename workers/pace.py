"""The pace of a destination that throttles: it falls with refusals, and rises with what is taken.

ops/adr/0009-pace.md says why.
"""

import math
from dataclasses import dataclass, field

from workers.returns import TICK_S, Lines

REFUSED_SHARE = 1 / 8  # of the answers: the refusals of one of many tenants slow nobody else
SMOOTHING = 1 / 16
START_PER_S = 8.0  # a guess: it doubles each second until the destination throttles again
LEAST_PER_S = 0.25
LOWER = 0.7
ROUND_S = 1.0  # between two lowerings, at least: receivers count by the second, or longer
RISE_S = 8.0  # each second adds an eighth of the pace at which it last throttled
RISE_MIN_PER_S = 1.0
FORGET_S = 60.0  # a destination that has not throttled for this long has no pace

BURST_S = TICK_S  # sends that are due within it leave at once
AHEAD = 2  # rows come back at this multiple of the pace, which may rise meanwhile
UNSURE_PER_S = 50.0  # at least this many come back until it throttles for the second time
TAKES_NOTHING = 5  # after this many lowerings in a row: the destination takes nothing at all


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
    back: Lines = field(default_factory=Lines)

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
