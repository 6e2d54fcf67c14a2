"""How fast one key may go: a token bucket, in this process and on a clock that never jumps."""

import math
import time
from collections.abc import Callable

RATE_MIN_PER_S = 1 / 3600  # a rate that somebody's hand wrote may be anything


class Allowance:
    """So many requests at once, and so many more each second.

    Threads: one event loop.
    """

    def __init__(
        self, rate_per_s: float, burst: int | None, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin full. `burst` None: what a second brings."""
        self.terms = (rate_per_s, burst)
        self._rate_per_s = rate_per_s if rate_per_s > RATE_MIN_PER_S else RATE_MIN_PER_S
        self._size = max(burst or math.ceil(min(self._rate_per_s, 1e9)), 1)
        self._now = now
        self._left = float(self._size)
        self._filled_at = now()

    def take(self) -> bool:
        """Take one request out of it, unless it is empty."""
        now = self._now()
        self._left = min(self._size, self._left + (now - self._filled_at) * self._rate_per_s)
        self._filled_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def owe(self, count: int) -> None:
        """Take more than there may be: what a batch holds beyond the request itself."""
        self._left -= count

    def give_back(self, count: int) -> None:
        """Take back what was owed, for nothing; there is never more than fits."""
        self._left = min(self._size, self._left + count)

    def wait_s(self) -> int:
        """Return the whole seconds after which one request fits again."""
        return max(math.ceil((1 - self._left) / self._rate_per_s), 1)

    def fields(self) -> dict[str, str]:
        """Tell a client where it stands: draft-ietf-httpapi-ratelimit-headers-10.

        `q` requests within `w` seconds; `r` are left, and in `t` seconds there will be more.
        """
        window_s = max(math.ceil(self._size / self._rate_per_s), 1)
        left = max(math.floor(self._left), 0)
        reset = "" if left else f";t={self.wait_s()}"
        return {
            "RateLimit-Policy": f'"key";q={self._size};w={window_s}',
            "RateLimit": f'"key";r={left}{reset}',
        }
