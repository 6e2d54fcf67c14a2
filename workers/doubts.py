"""Which connections are not used again: those of an origin from before its last failure.

A name that moved, or a node behind an address that went bad, is met again by who uses a connection
again; a new one is led by what the name stands for now.
"""

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass

LIFETIME_S = 60  # of any connection: its name may have moved without a failure
KNOWN_MAX = 10_000


@dataclass(slots=True)
class Doubt:
    """An origin failed at `since`; `is_over`: it answered on a new connection.

    `tried_at`: when the last one to share was begun. Times are monotonic.
    """

    since: float
    is_over: bool = False
    tried_at: float = -math.inf


class Doubts:
    """The origins of one worker process that failed in the last minute, or only failed since."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.known: OrderedDict[str, Doubt] = OrderedDict()

    def age_max_s(self, origin: str, now: float, *, shares: bool) -> int:
        """Say how old a connection may be to be used again, in whole seconds; 0: none may.

        `shares`: one carries many transfers, so that one a second is enough.
        """
        doubt = self.known.get(origin)
        if doubt is None:
            return LIFETIME_S
        age_s = int(now - doubt.since)
        if not doubt.is_over:
            if shares and now - doubt.tried_at < 1:
                return min(max(1, age_s), LIFETIME_S)
            doubt.tried_at = now
            return 0
        if age_s < LIFETIME_S:
            return age_s
        with self._lock:
            self.known.pop(origin, None)
        return LIFETIME_S

    def failed(self, origin: str, now: float) -> None:
        """Trust no connection from before now."""
        with self._lock:
            self.known.pop(origin, None)
            self.known[origin] = Doubt(now)
            if len(self.known) > KNOWN_MAX:
                self.known.popitem(last=False)

    def answered(self, origin: str) -> None:
        """Note an answer that came over a new connection: it may be used again."""
        if doubt := self.known.get(origin):
            doubt.is_over = True
