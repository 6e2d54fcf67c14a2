"""When the parked rows of a destination that throttles come back, to ask again."""

import math
import random
from dataclasses import dataclass, field
from math import ceil

from workers.claim import Claim, Parked, Unstarted

TICK_S = 1 / 16  # rows come back in 16 groups a second: each costs a call of release
NEAR_S = 8.0  # within it each row has a place of its own; later rows only come to ask again
FAR_PER_S = 1000  # of all destinations that throttle
FAR_MAX_S = 300.0  # but none waits for longer than that after the time named
DELAY_MAX_S = 3600.0


@dataclass(slots=True)
class Returns:
    """When parked rows come back: one after another, and beyond NEAR_S only to ask again."""

    near: float = -math.inf
    far: float = -math.inf

    def next(self, earliest: float, per_s: float, throttling: int) -> float:
        """Find the time for one more row, not before `earliest`.

        `throttling`: how many destinations share what comes to ask again; one that takes more
        than its part has as much as it takes.
        """
        near = max(self.near, earliest) + 1 / per_s
        if near <= earliest + NEAR_S:
            self.near = near
            return near
        latest = earliest + FAR_MAX_S
        far = max(self.far, earliest + NEAR_S) + min(throttling / FAR_PER_S, 1 / per_s)
        self.far = min(far, latest)
        if far < latest:
            return far
        return earliest + FAR_MAX_S * random.uniform(0.8, 1.0)  # or all of these come together


@dataclass(slots=True)
class Lines:
    """When parked rows come back: what is urgent waits behind nothing that is not.

    Each asks again when it comes back. So the others are only slowed, as they ask in between.
    """

    urgent: Returns = field(default_factory=Returns)
    others: Returns = field(default_factory=Returns)

    def next(self, claim: Claim, earliest: float, per_s: float, throttling: int) -> float:
        """Find the time for one more row, not before `earliest`."""
        line = self.urgent if claim.is_urgent else self.others
        return line.next(earliest, per_s, throttling)


def park_until(claim: Claim, at: float, now: float, reason: Parked) -> Unstarted:
    """Park a claim until `at`, or until it expires or its patience ends.

    Rounded up, because each different delay of a batch costs a call of release.
    """
    ends = [end for end in (claim.expires_at, claim.patience_ends) if end is not None and end > now]
    wait_s = min(at - now, DELAY_MAX_S, *[end - now for end in ends])
    delay_s = ceil(wait_s) if wait_s > NEAR_S else ceil(wait_s / TICK_S) * TICK_S
    return Unstarted(claim=claim, delay_s=delay_s, parked=reason)
