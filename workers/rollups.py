"""What this worker's sends did, by destination and minute: rows of destination_minutes.

The settler counts, the heart writes: only what settle() took counts, once, so that these counts
agree with the table `attempts`. What was counted since the last write is lost with its process.
"""

import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct, field

from service.model.words import Outcome
from workers.channels.simulator import HOST
from workers.claim import Ended
from workers.parkings import destination_of

# The most milliseconds of each bucket, as sql/took_bounds.sql has them; the last one has no end.
BOUNDS_MS = (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000)
WRITTEN_MAX = 1000  # destinations of a minute
# Of a channel: of more, the smaller are summed up, which costs 3 µs for each new one.
KNOWN_MAX = 4 * WRITTEN_MAX
NAME_BYTES_MAX = 500  # no host is longer
OTHERS = ""  # stands for all others of a channel


class Counts(Struct, gc=False):
    """What the sends to one destination did. `failed_at` is monotonic; None: none failed."""

    took: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_MS) + 1))
    failures: int = 0
    last_code: str | None = None
    failed_at: float | None = None

    @property
    def sends(self) -> int:
        """Say how many attempts ended."""
        return sum(self.took)

    def add(self, other: "Counts") -> None:
        """Add what others did."""
        self.took = [ours + theirs for ours, theirs in zip(self.took, other.took, strict=True)]
        self.failures += other.failures
        if other.failed_at is not None and other.failed_at >= (self.failed_at or 0.0):
            self.last_code, self.failed_at = other.last_code, other.failed_at


class Row(Struct, frozen=True, kw_only=True, gc=False):
    """One destination's minute, as add_minutes() takes it. `failed_s`: since 1970."""

    channel: str
    destination: str
    sends: int
    failures: int
    took: list[int]
    last_code: str | None
    failed_s: float | None


Place = tuple[str, str]  # channel and destination


class Rollups:
    """The counts since they were last taken.

    Threads: count is the settler's, take the heart's.
    """

    def __init__(self) -> None:
        # By channel, then by the name that the sender has for a destination.
        self._known: defaultdict[str, dict[str, Counts]] = defaultdict(dict)
        self._lock = threading.Lock()

    def count(self, channel: str, ended: Iterable[Ended]) -> None:
        """Count attempts of one channel that are settled. Those that expired never began."""
        with self._lock:
            known = self._known[channel]
            for item in ended:
                outcome = item.verdict.outcome
                if item.claim.is_test or outcome is Outcome.EXPIRED:
                    continue
                counts = known.get(item.destination)
                if counts is None:
                    if len(known) >= KNOWN_MAX:
                        sum_up(known)
                    counts = known.setdefault(item.destination, Counts())
                counts.took[bisect_left(BOUNDS_MS, item.took_ms)] += 1
                if outcome is not Outcome.SENT:
                    counts.failures += 1
                    counts.last_code = item.verdict.code
                    counts.failed_at = time.monotonic()

    def take(self, now_s: float) -> list[Row]:
        """Take what was counted: of the largest destinations, and the sum of all others.

        `now_s`: the time, since 1970.
        """
        with self._lock:
            taken, self._known = self._known, defaultdict(dict)
        places: dict[Place, Counts] = {}
        for channel, known in taken.items():
            for name, counts in known.items():
                if not is_simulated(name):
                    add(places, (channel, spelled(channel, name)), counts)
        largest = sorted(places, key=lambda place: -places[place].sends)
        for channel, destination in largest[WRITTEN_MAX - len(taken) :]:
            if destination != OTHERS:
                add(places, (channel, OTHERS), places.pop((channel, destination)))
        zero_s = now_s - time.monotonic()
        return [row(place, counts, zero_s) for place, counts in places.items()]


def add(places: dict[Place, Counts], place: Place, counts: Counts) -> None:
    """Add counts to those of a place."""
    if (known := places.setdefault(place, counts)) is not counts:
        known.add(counts)


def sum_up(known: dict[str, Counts]) -> None:
    """Keep the largest destinations of a channel, and the sum of the others."""
    by_size = sorted(known, key=lambda name: known[name].sends)
    for name in by_size[:-WRITTEN_MAX]:
        counts = known.pop(name)
        if not is_simulated(name):
            known.setdefault(OTHERS, Counts()).add(counts)


def spelled(channel: str, name: str) -> str:
    """Spell a destination as notify.destination_of() does; what is none is among the others."""
    destination = destination_of(channel, name) or OTHERS
    return destination if len(destination.encode()) <= NAME_BYTES_MAX else OTHERS


def is_simulated(name: str) -> bool:
    """Return whether what goes there is played, and never sent."""
    return name.startswith(f"{HOST}/")


def row(place: Place, counts: Counts, zero_s: float) -> Row:
    """Make the row of one destination. `zero_s`: the time where monotonic is 0."""
    channel, destination = place
    return Row(
        channel=channel,
        destination=destination,
        sends=counts.sends,
        failures=counts.failures,
        took=counts.took,
        last_code=counts.last_code,
        failed_s=None if counts.failed_at is None else zero_s + counts.failed_at,
    )
