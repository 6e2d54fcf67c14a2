"""Circuit breakers: which destinations fail; each is left alone, and probed by one send at a time.

A destination is known here only while it fails, so that the others cost one lookup in a dict.
breaker.py says for how long it is left alone.
"""

import math
import threading
import time
from collections import OrderedDict
from itertools import takewhile
from weakref import WeakValueDictionary

from loguru import logger

from service.config.settings import Settings
from service.metrics import WorkerMetrics
from workers.breaker import TRIP_AFTER, TURN_MAX_S, Breaker, Crowd, Room
from workers.claim import Claim, Verdict
from workers.outcome import blames_destination

FORGET_S = 60.0  # a failure older than this does not count as one in a row
KNOWN_MAX = 10_000
PROBE_SPARE_S = 1.0
COUNT_S = 1.0
HEARD_WITHIN_S = 900.0  # a failure older than this says nothing of now


class Breakers:
    """The breakers of one worker process.

    Threads: any sender may call all of it, the metrics' thread left_alone, and the heart
    let_through. The lock is for changes: to look a destination up in a dict needs none.
    """

    def __init__(self, settings: Settings, metrics: WorkerMetrics) -> None:
        self._probe_max_s = settings.send_deadline_s + PROBE_SPARE_S
        self._metrics = metrics
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Breaker] = OrderedDict()  # the last to fail comes last
        self._crowds: WeakValueDictionary[str, Crowd] = WeakValueDictionary()  # by destination
        self._room = Room()
        self._crowds_failing = 1  # as counted last
        self._counted_at = -math.inf
        shown = metrics.breakers
        shown.labels("open").set_function(lambda: self.left_alone(time.monotonic())[0])
        shown.labels("half_open").set_function(lambda: self.left_alone(time.monotonic())[1])

    @property
    def is_empty(self) -> bool:
        """Whether no destination fails."""
        return not self._known

    def wait_s(self, claim: Claim, name: str, now: float) -> float:
        """Return how long a claim for this destination has to wait; 0.0: it may be sent now.

        A claim whose patience has ended may: every answer counts then, so that it comes to an end.
        """
        breaker = self._known.get(name)
        if breaker is None or breaker.opened_at is None or claim.patience_ends <= now:
            return 0.0
        with self._lock:
            return breaker.wait_s(now, self._probe_max_s, self._count_crowds(now), self._room)

    def report(
        self, name: str, verdict: Verdict, started_at: float, now: float, whole: str | None = None
    ) -> None:
        """Learn what came of a send that began at `started_at`.

        `whole`: the destination of which `name` is a URL.
        """
        failed = blames_destination(verdict)
        if not failed and name not in self._known:
            return
        with self._lock:
            if failed:
                self._failed(name, verdict, started_at, now, whole)
            else:
                self._answered(name, now)

    def fails(self, name: str, now: float) -> bool:
        """Return whether its last send failed, less than FORGET_S ago."""
        breaker = self._known.get(name)
        return breaker is not None and (
            breaker.opened_at is not None or now - breaker.failed_at < FORGET_S
        )

    def open_since(self, name: str, now: float) -> float | None:
        """Return when its breaker opened; None: it is closed, or nobody has asked it for long."""
        breaker = self._known.get(name)
        if breaker is None or now - breaker.failed_at > HEARD_WITHIN_S:
            return None
        return breaker.opened_at

    def code(self, name: str) -> str | None:
        """Return the code of its last failure, if it fails."""
        breaker = self._known.get(name)
        return None if breaker is None else breaker.code

    def learned_nothing(self, name: str, started_at: float) -> None:
        """Let another send be the probe if this one was: its outcome says nothing about `name`."""
        breaker = self._known.get(name)
        if breaker is not None:
            with self._lock:
                if started_at >= breaker.probe_at:
                    breaker.probe_at = math.inf

    def not_sent(self, name: str, started_at: float) -> None:
        """Let another send be the probe if this one was: it could not begin."""
        breaker = self._known.get(name)
        if breaker is not None:
            with self._lock:
                if breaker.probe_at == started_at:
                    breaker.probe_at = math.inf

    def let_through(self, name: str, now: float) -> None:
        """Let the next send be the probe, whatever is left of the open time, or of a probe.

        So does each URL of it. What is parked from now on comes back after that one, and not after
        all that were before.
        """
        with self._lock:
            crowd = self._crowds.get(name)
            for failing in (name, *(crowd.open if crowd is not None else ())):
                if breaker := self._known.get(failing):
                    breaker.let_through(now)

    def knows(self, name: str) -> bool:
        """Return whether it fails, or any URL of it."""
        return name in self._known or name in self._crowds

    def left_alone(self, now: float) -> tuple[int, int]:
        """Count the open breakers: those left alone for now, and those due for a probe.

        One that nobody has asked for long is left out: it may be a URL that is no longer used.
        """
        with self._lock:
            known = list(self._known.values())
        heard = [b for b in known if now - b.failed_at <= HEARD_WITHIN_S]
        ends = [b.open_until for b in heard if b.opened_at is not None]
        running = sum(end > now for end in ends)
        return running, len(ends) - running

    def _failed(
        self, name: str, verdict: Verdict, started_at: float, now: float, whole: str | None
    ) -> None:
        """Count a failure: TRIP_AFTER in a row open the breaker, a probe's opens it again."""
        breaker = self._known.get(name) or self._known.setdefault(name, self._made(whole))
        self._known.move_to_end(name)
        breaker.code = verdict.code
        if breaker.opened_at is not None:
            breaker.failed_at = now
            if started_at >= breaker.probe_at:
                breaker.leave_alone(breaker.probe_at, now)
            return
        breaker.failures = breaker.failures + 1 if now - breaker.failed_at < FORGET_S else 1
        breaker.failed_at = now
        if breaker.failures >= TRIP_AFTER:
            breaker.opened_at = now
            breaker.crowd.open.add(name)
            breaker.leave_alone(now, now)
            self._metrics.breakers_opened.inc()
            logger.warning("breaker_open", destination=name, code=verdict.code)
        self._forget_old(now)

    def _count_crowds(self, now: float) -> int:
        """Count the destinations that share what may come back, once in COUNT_S.

        Those that nobody asks any more, whose breakers stay open for ever, take no part.
        """
        if now >= self._counted_at + COUNT_S:
            lately = takewhile(
                lambda known: now - known[1].failed_at <= TURN_MAX_S,
                reversed(self._known.items()),
            )
            crowds = {
                id(self._crowds.get(name, breaker.crowd))  # a destination's: that of its URLs
                for name, breaker in lately
                if breaker.opened_at is not None
            }
            self._crowds_failing, self._counted_at = max(1, len(crowds)), now
        return self._crowds_failing

    def _made(self, whole: str | None) -> Breaker:
        """Make a breaker. Those of the URLs of one destination have one crowd."""
        if whole is None:
            return Breaker()
        crowd = self._crowds.get(whole)
        if crowd is None:
            crowd = self._crowds[whole] = Crowd()
        return Breaker(crowd=crowd)

    def _answered(self, name: str, now: float) -> None:
        """Close the breaker: whatever the answer says, the destination gave one.

        Others of its crowd may be back, too: they ask at once.
        """
        breaker = self._forget(name)
        if breaker is None or breaker.opened_at is None:
            return
        breaker.crowd.turn_at = now
        open_s = round(now - breaker.opened_at, 1)
        logger.info("breaker_closed", destination=name, open_s=open_s)
        for other in breaker.crowd.open:
            self._known[other].open_until = min(self._known[other].open_until, now)

    def _forget_old(self, now: float) -> None:
        """Drop what failed long ago and is not left alone, and what there is no room for."""
        while True:
            name, oldest = next(iter(self._known.items()))
            is_over = oldest.opened_at is None and now - oldest.failed_at > FORGET_S
            if not is_over and len(self._known) <= KNOWN_MAX:
                return
            self._forget(name)

    def _forget(self, name: str) -> Breaker | None:
        """Drop what is known of a destination."""
        breaker = self._known.pop(name, None)
        if breaker is not None:
            breaker.crowd.open.discard(name)
        return breaker
