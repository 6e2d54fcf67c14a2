"""Plays under way: sends that are simulated, and take a while as real ones do."""

from collections.abc import Iterator
from heapq import heappop, heappush

from workers.channels.channel import Play
from workers.claim import Verdict
from workers.flight import Flight


class Plays:
    """What ends when. A play holds its slot, and neither a thread nor a socket."""

    def __init__(self, deadline_s: float) -> None:
        """`deadline_s`: of a send; none takes more than half of it."""
        self._takes_max_s = deadline_s / 2
        self._count = 0
        self._ends: list[tuple[float, int, Flight, Verdict]] = []

    def __len__(self) -> int:
        """Return how many are under way."""
        return len(self._ends)

    def start(self, play: Play, flight: Flight) -> Verdict | None:
        """Begin a play. A Verdict: it takes no time."""
        takes_s = min(play.takes_s, self._takes_max_s)
        if not takes_s:
            return play.verdict
        self._count += 1  # no two entries are alike: flights cannot be compared
        heappush(self._ends, (flight.started_at + takes_s, self._count, flight, play.verdict))
        return None

    def next_s(self, now: float) -> float:
        """Return how long until the next one ends; inf: none is under way."""
        return max(0.0, self._ends[0][0] - now) if self._ends else float("inf")

    def ended(self, now: float) -> Iterator[tuple[Flight, Verdict]]:
        """Take out what has ended."""
        while self._ends and self._ends[0][0] <= now:
            _, _, flight, verdict = heappop(self._ends)
            yield flight, verdict

    def clear(self) -> list[Flight]:
        """Give up all that are under way."""
        flights = [flight for _, _, flight, _ in self._ends]
        self._ends.clear()
        return flights
