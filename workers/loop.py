"""The loop that every thread of a worker runs: one turn after another, whatever a turn raises."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from loguru import logger

from service.errors import DatabaseAway
from service.metrics import WorkerMetrics

BACKOFF_MIN_S = 0.05
BACKOFF_MAX_S = 1.0  # service/dispatch/reaper.py counts on it


class Loop(threading.Thread, ABC):
    """A thread that ends only when stop() was called.

    Threads: stop is the runner's, and all else the thread's own, unless the subclass says more.
    """

    def __init__(self, name: str, metrics: WorkerMetrics) -> None:
        super().__init__(name=name, daemon=True)
        self._metrics = metrics
        self._stopping = threading.Event()
        self._backoff_s = BACKOFF_MIN_S

    @abstractmethod
    def turn(self) -> None:
        """Do one round of work; wait for work, but not for long."""

    @abstractmethod
    def close(self) -> None:
        """Free what the thread owns, after its last turn."""

    @property
    def _wanted(self) -> bool:
        """Whether another turn is to follow."""
        return not self._stopping.is_set()

    def stop(self) -> None:
        """Ask for no further turn."""
        self._stopping.set()

    def run(self) -> None:
        """Turn until stopped."""
        with logger.contextualize(role="worker"):
            self._turns()
            self.close()

    def _turns(self) -> None:
        """Turn, whatever a turn raises."""
        while self._wanted:
            try:
                self.turn()
            except DatabaseAway:  # already logged, once for all threads
                self._pause()
            except BaseException as error:  # a channel may call sys.exit()
                self._survived(error)
                self._pause()
            else:
                self._backoff_s = BACKOFF_MIN_S

    def _survived(self, error: BaseException, **ids: object) -> None:
        """Count and log an error that nobody expected; never raise another."""
        with suppress(Exception):
            self._metrics.loop_errors.labels(self.name.split("-")[0]).inc()
        with suppress(Exception):
            logger.opt(exception=error).error("unexpected_error", thread=self.name, **ids)

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        """Survive errors of code that only counts and logs."""
        try:
            yield
        except Exception as error:
            self._survived(error)

    def _pause(self) -> None:
        """Wait, longer after each error in a row; once the thread is to stop, only briefly."""
        if self._stopping.wait(self._backoff_s):
            time.sleep(BACKOFF_MIN_S)
        self._backoff_s = min(self._backoff_s * 2, BACKOFF_MAX_S)
