"""Log once that a server is away, and once that it is back, whichever thread notices."""

import math
import threading
import time

from loguru import logger

from service.logs.logs import first_line


class Outage:
    """What we know of one server.

    `role`: the role that misses it, for both log lines; None: the role that the caller logs with.
    """

    def __init__(self, what: str, *, role: str | None = None) -> None:
        self.missed_at = -math.inf  # monotonic, when a connection to it last proved to be dead
        self._fields = {"what": what} if role is None else {"what": what, "role": role}
        self._since: float | None = None
        self._without_answer: set[str] = set()  # connections that failed and got no answer since
        self._lock = threading.Lock()

    @property
    def lasts(self) -> bool:
        """Whether some connection still gets no answer."""
        return self._since is not None

    def found_dead(self) -> None:
        """Note that a connection to it is dead: those opened earlier are not used again."""
        self.missed_at = time.monotonic()

    def away(self, error: Exception, connection: str = "") -> None:
        """Note that it failed. `connection`: which of several; the first is logged."""
        with self._lock:
            self._without_answer.add(connection)
            if self._since is None:
                self._since = time.monotonic()
                which = {"connection": connection} if connection else {}
                logger.warning("away", **self._fields, **which, reason=first_line(error))

    def back(self, connection: str = "") -> None:
        """Note that it answered. The outage ends when each connection that failed has an answer."""
        if connection not in self._without_answer:
            return
        with self._lock:
            self._without_answer.discard(connection)
            if self._since is not None and not self._without_answer:
                away_s = round(time.monotonic() - self._since, 1)
                logger.info("back", **self._fields, away_s=away_s)
                self._since = None
