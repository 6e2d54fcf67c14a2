"""The heart: a thread that tells the ledger each 10 s that this worker lives, and what it knows.

It has a connection of its own, so that no claim and no settle waits for it, and hardly anything
waits for it when the worker stops. Nobody depends on what it writes but people, who ask
notify.explain() and the console.
"""

import math
import random
import socket
import time
from collections import deque
from collections.abc import Callable

from service.channels.words import CHANNELS, WORDS
from service.clock import Clock
from service.config.settings import Settings
from service.errors import DatabaseAway
from service.logs.logs import first_line
from service.logs.outage import Outage
from service.logs.seldom import Seldom
from service.metrics import WorkerMetrics
from service.process.distribution import installed_version
from workers.claim import Parked
from workers.heart_store import Asked, Beat, HeartStore
from workers.loop import Loop
from workers.parkings import Kept, Parking
from workers.rollups import Rollups, Row
from workers.slots import Slots
from workers.standing import Standing

BEAT_S = 10.0
LOOK_S = 1.0  # between looks at what is kept back
MINUTE_S = 60
SPREAD_S = 15.0  # within which after a minute its counts are written, or all workers would at once
UNWRITTEN_MAX = 5  # minutes; of more, the oldest are lost


class Quiet(Outage):
    """The heart's own knowledge of PostgreSQL: what only it meets must not disturb the others."""

    def away(self, error: Exception, connection: str = "") -> None:
        """Log nothing: the claimer and the settler do."""


class Heart(Loop):
    """Beats. What it could not write it writes later: each time it compares, and keeps no queue.

    While it keeps something back, it asks at each look whether that is to be tried at once.

    Threads: stop is the runner's; all else is its own thread's.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: WorkerMetrics,
        *,
        store: HeartStore,
        slots: Slots,
        rollups: Rollups,
        clock: Clock,
        standing: Standing,
        settled: Callable[[], int],
        outage: Outage,
    ) -> None:
        super().__init__("heart", metrics)
        self._store = store
        self._slots = slots
        self._rollups = rollups
        self._clock = clock
        self._standing = standing
        self._settled = settled
        self._outage = outage
        self._missed = Seldom("heartbeat_missed")
        self._started_at = time.monotonic()
        self._beat_at = -math.inf
        self._written: dict[Kept, float] = {}  # until when, as it was written
        self._minute = self._this_minute()
        self._minutes: deque[tuple[int, list[Row]]] = deque(maxlen=UNWRITTEN_MAX)
        self._minutes_at = math.inf  # when they are to be written
        self._heard: set[Asked] = set()
        self._says = Beat(
            host=socket.gethostname(),
            version=installed_version(),
            environment=settings.environment,
            channels=sendable(settings),
            patience_s=settings.breaker_patience_mins * 60,
        )

    def turn(self) -> None:
        """Do what it is time for; one thing that fails keeps no other from being done."""
        now = time.monotonic()
        failed = False
        self._turn_minute(now)
        for step in self._beat, self._write, self._hear, self._write_minutes:
            try:
                step(now)
            except Exception as error:
                failed = True
                if not (isinstance(error, DatabaseAway) and self._outage.lasts):
                    self._missed.happened(reason=first_line(error))
                if isinstance(error, DatabaseAway):
                    break
        if self._outage.lasts:  # PostgreSQL may have no connection left for who settles or claims
            self._store.close()
        self._stopping.wait(BEAT_S if failed else LOOK_S)

    def close(self) -> None:
        """Write what was counted since the last minute; close the connection."""
        try:
            self._take_minute()
            self._minutes_at = -math.inf
            self._write_minutes(time.monotonic())
        except Exception as error:
            self._missed.happened(reason=first_line(error))
        self._store.close()

    def _beat(self, now: float) -> None:
        """Say that we live, if it is time; who was not known has to say everything again."""
        if now < self._beat_at:
            return
        is_new = self._store.beat(
            self._says,
            slots=self._slots.most,
            in_flight=self._slots.sending,
            settled=self._settled(),
            up_s=now - self._started_at,
        )
        if is_new:
            self._written.clear()
        self._beat_at = now + BEAT_S

    def _write(self, now: float) -> None:
        """Write what is kept back since the last look, and what no longer is."""
        current = self._standing.kept_back(now)
        begun = {kept: parking for kept, parking in current.items() if self._is_news(kept, parking)}
        ended = self._written.keys() - current.keys()
        if begun or ended:
            self._store.note_destinations(begun, ended, now)
            for kept in ended:
                del self._written[kept]
            self._written |= {kept: parking.until for kept, parking in begun.items()}

    def _is_news(self, kept: Kept, parking: Parking) -> bool:
        """Whether it is not written yet, or an end that people read is another by now."""
        until = self._written.get(kept)
        return until is None or (kept.state is Parked.URL and parking.until > until + BEAT_S)

    def _hear(self, now: float) -> None:
        """Let through what an operator wants to be tried at once, while something is kept back."""
        if not self._standing.kept_back(now):
            return
        asked = self._store.asked_probes()
        for one in asked - self._heard:
            self._standing.let_through(one.channel, one.destination, now)
        self._heard = asked

    def _turn_minute(self, now: float) -> None:
        """Once a minute is over, take what was counted in it."""
        if self._this_minute() != self._minute:
            self._take_minute()
            if self._minutes:
                self._minutes_at = now + random.uniform(0, SPREAD_S)

    def _take_minute(self) -> None:
        """Take what was counted, and begin this minute."""
        rows = self._rollups.take(self._clock.now())
        if rows:
            self._minutes.append((self._minute, rows))
        self._minute = self._this_minute()

    def _write_minutes(self, now: float) -> None:
        """Write the minutes that are over, if it is time; if that fails, again a minute later."""
        if now < self._minutes_at:
            return
        self._minutes_at = now + MINUTE_S
        while self._minutes:
            self._store.add_minutes(*self._minutes[0])
            self._minutes.popleft()
        self._minutes_at = math.inf

    def _this_minute(self) -> int:
        """Say which minute this is by the ledger's clock: when it began, since 1970."""
        return int(self._clock.now() // MINUTE_S) * MINUTE_S


def sendable(settings: Settings) -> list[str]:
    """Name the channels whose settings are there."""
    return [
        channel
        for channel in CHANNELS
        if all(getattr(settings, name.lower()) for name in WORDS[channel].get("needs", ()))
    ]
