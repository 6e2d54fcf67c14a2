"""What became of a sender's claims, kept until the settler gets all of it at once."""

import time
from collections.abc import Iterable

from service.metrics import WorkerMetrics
from workers.attempts import Attempts
from workers.claim import Claim, Ended, Outbox, Unstarted, Verdict
from workers.flight import Flight
from workers.slots import Slots


class Results:
    """Belongs to one sender's thread; `handed_on` may be read by others."""

    def __init__(
        self,
        metrics: WorkerMetrics,
        *,
        channels: Iterable[str],
        slots: Slots,
        outbox: Outbox,
        attempts: Attempts | None,
    ) -> None:
        """`attempts`: the sender's spans; None: there are none."""
        self._send_seconds = metrics.send_seconds
        self._took_s: dict[str, list[float]] = {name: [] for name in channels}  # not yet shown
        self._slots = slots
        self._outbox = outbox
        self._attempts = attempts
        self.kept: list[Ended | Unstarted] = []
        self.handed_on = 0

    def add(self, result: Ended | Unstarted) -> None:
        """Keep a result."""
        self.kept.append(result)

    def settle(self, claim: Claim, verdict: Verdict, flight: Flight | None = None) -> None:
        """Note how an attempt ended. `flight` None: it began just now, and has no destination."""
        now = time.monotonic()
        began, destination = (now, "") if flight is None else (flight.started_at, flight.share)
        self.kept.append(
            Ended(
                claim=claim,
                verdict=verdict,
                started_at=began,
                took_ms=int((now - began) * 1000),
                destination=destination,
            )
        )

    def release(self, claims: Iterable[Claim]) -> None:
        """Note claims that were not started."""
        self.kept += [Unstarted(claim=claim) for claim in claims]

    def has(self, claim: Claim) -> bool:
        """Return whether this claim's result is kept."""
        return any(result.claim is claim for result in self.kept)

    def took(self, channel: str, took_s: float) -> None:
        """Note how long a transfer took, to be shown before anybody hears that it has ended."""
        self._took_s[channel].append(took_s)

    def hand_on(self) -> None:
        """Give the results to the settler, and the slots back."""
        if not self.kept:
            return
        self._show_durations()
        results, self.kept = self.kept, []
        self._outbox.put(results)
        self.handed_on += len(results)
        self._slots.ended(len(results))
        if self._attempts is not None:
            self._attempts.end(results)

    def _show_durations(self) -> None:
        for channel, took_s in self._took_s.items():
            if took_s:
                self._send_seconds.labels(channel).observe_all(took_s)
                took_s.clear()
