"""Which connections are not used again: those of an origin from before its last failure.

A connection that is used again leads where its name did when it was made: to a server that has
moved, or to a node that went bad. A new one goes to the addresses that the name has now.
"""

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass

LIFETIME_S = 60  # of any connection: its name may have moved without a failure
KNOWN_MAX = 10_000


@dataclass(slots=True)
class Doubt:
    """An origin failed at `since`; `is_over`: it has answered on a new connection.

    `tried_at`: when the last new connection was begun. Times are monotonic.
    """

    since: float
    is_over: bool = False
    tried_at: float = -math.inf


class Doubts:
    """The origins of one process that failed in the last minute, or have not answered since.

    Threads: any sender may call all of it. The lock keeps the order of the dict; to look an origin
    up needs none, and if two senders try a new connection at once, there are two.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Doubt] = OrderedDict()

    @property
    def is_empty(self) -> bool:
        """Whether no origin is in doubt."""
        return not self._known

    def age_max_s(self, origin: str, now: float, *, shares: bool) -> int:
        """Return how old a connection may be to be used again, in whole seconds; 0: none may.

        `shares`: a connection carries many transfers, so that one new one a second is enough.
        """
        doubt = self._known.get(origin)
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
            self._known.pop(origin, None)
        return LIFETIME_S

    def failed(self, origin: str, now: float) -> None:
        """Trust no connection from before now."""
        with self._lock:
            self._known.pop(origin, None)
            self._known[origin] = Doubt(now)
            if len(self._known) > KNOWN_MAX:
                self._known.popitem(last=False)

    def answered(self, origin: str) -> None:
        """Note an answer over a new connection: that one may be used again."""
        if doubt := self._known.get(origin):
            doubt.is_over = True
