"""Our rates beside theirs, as rows of the bench's table."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from load.bench.peers.peer import Settings
from load.bench.table import Row, as_json

WHAT = {"webhooks": "webhooks, signed", "drain": "drain of no-ops"}
# What our rate has to be, in rates of the peer.
TIMES = {("webhooks", "graphile"): 2.0, ("drain", "graphile"): 1.3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Rates of runs that took turns; the same place in both is one turn."""

    measure: str
    peer: str
    title: str
    settings: Settings
    ours: Sequence[float]
    theirs: Sequence[float]

    def row(self) -> Row:
        """Compare the medians; the note has the least and the greatest ratio of one turn."""
        times = TIMES.get((self.measure, self.peer))
        ratios = [mine / other for mine, other in zip(self.ours, self.theirs, strict=True)]
        return Row(
            what=WHAT[self.measure],
            figure=median(self.ours),
            unit="/s",
            asked=None if times is None else times * median(self.theirs),
            ceiling=median(self.theirs),
            ceiling_is=f"{self.title}, {spelled(self.settings)}",
            note=f"{len(ratios)} turns, ratios {min(ratios):.2f} to {max(ratios):.2f}",
        )

    def as_json(self) -> dict[str, object]:
        """Give the row, and each rate behind it."""
        return {**as_json(self.row()), "ours": list(self.ours), "theirs": list(self.theirs)}


def ranked(rates: Sequence[tuple[Settings, Sequence[float]]]) -> list[tuple[float, Settings]]:
    """Sort settings by the median of their rates, the fastest first."""
    medians = [(median(each), settings) for settings, each in rates]
    return sorted(medians, key=lambda item: item[0], reverse=True)


def spelled(settings: Settings) -> str:
    """Spell settings: `processes 2, queue 500`."""
    return ", ".join(f"{name} {value}" for name, value in settings.items())
