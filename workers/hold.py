"""A URL that is left alone: until when, and who may pass all the same. ops/adr/0009-pace.md."""

import math
from dataclasses import dataclass, field

from workers.pace import FORGET_S, ROUND_S
from workers.returns import DELAY_MAX_S, Lines

HELD_FROM = 3  # from this refusal in a row on, the URL is left alone for 1, 2, 4 … seconds
HELD_MAX_S = 30.0


@dataclass(slots=True)
class Hold:
    """A URL that is left alone: its receiver named a time, or takes nothing."""

    until: float = -math.inf
    rounds_refused: int = 0  # rounds since it last took something, or was quiet for FORGET_S
    refused_at: float = -math.inf
    probe_until: float = -math.inf  # until then one row may pass: an operator has asked for it
    probe_at: float = -math.inf  # when that one began, while nobody knows what came of it
    back: Lines = field(default_factory=Lines)

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
