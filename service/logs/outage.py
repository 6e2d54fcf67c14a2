"""A server that is away is told of once, and once when it is back; any thread may notice either."""

import math
import threading
import time

from loguru import logger

from service.logs.logs import first_line


class Outage:
    """What we know of one server. `about`: fields of both log lines, such as whose outage it is."""

    def __init__(self, what: str, **about: str) -> None:
        self.missed_at = -math.inf  # monotonic, when a connection to it was last found dead
        self._about = {"what": what, **about}
        self._since: float | None = None
        self._missed_by: set[str] = set()
        self._lock = threading.Lock()

    @property
    def lasts(self) -> bool:
        """Whether somebody misses it."""
        return self._since is not None

    def found_dead(self) -> None:
        """Note that a connection to it is dead: those opened earlier are not used again."""
        self.missed_at = time.monotonic()

    def away(self, error: Exception, by: str = "") -> None:
        """It failed. `by`: whose connection did, if there are several."""
        with self._lock:
            self._missed_by.add(by)
            if self._since is None:
                self._since = time.monotonic()
                logger.warning("away", **self._about, reason=first_line(error))

    def back(self, by: str = "") -> None:
        """It answered. Over is an outage when it has answered everybody who missed it."""
        if by not in self._missed_by:
            return
        with self._lock:
            self._missed_by.discard(by)
            if self._since is not None and not self._missed_by:
                away_s = round(time.monotonic() - self._since, 1)
                logger.info("back", **self._about, away_s=away_s)
                self._since = None
