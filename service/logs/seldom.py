"""Log an event at most once a minute, as it may happen a thousand times a second."""

import threading
import time

from loguru import logger

PAUSE_S = 60.0


class Seldom:
    """One event: logged when it first happens, then at most once in PAUSE_S with its count."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._count = 0
        self._log_at = 0.0  # monotonic; not before
        self._lock = threading.Lock()

    def happened(self, count: int = 1, **fields: object) -> None:
        """Count it; warn if the last warning was PAUSE_S ago."""
        now = time.monotonic()
        with self._lock:
            self._count += count
            if now < self._log_at:
                return
            counted, self._count = self._count, 0
            self._log_at = now + PAUSE_S
        logger.warning(self._event, count=counted, **fields)
