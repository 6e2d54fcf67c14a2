"""What may happen a thousand times a second is told once a minute, with how often it did."""

import threading
import time

from loguru import logger

PAUSE_S = 60.0


class Seldom:
    """One event of the log, told at its first time and then at most once per PAUSE_S."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._count = 0
        self._tell_at = 0.0
        self._lock = threading.Lock()

    def happened(self, count: int = 1, **about: object) -> None:
        """Count it; warn if the last warning was long ago."""
        now = time.monotonic()
        with self._lock:
            self._count += count
            if now < self._tell_at:
                return
            counted, self._count = self._count, 0
            self._tell_at = now + PAUSE_S
        logger.warning(self._event, count=counted, **about)
