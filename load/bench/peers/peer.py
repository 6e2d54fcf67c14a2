"""What a peer has to be able to do, so that one function measures them all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from load.bench.processes import Command

Settings = Mapping[str, int]  # `processes`, and what this peer's driver takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Jobs that are there before the workers start. `url`: where each POSTs; None: no-ops."""

    rows: int
    url: str | None

    @property
    def measure(self) -> str:
        """Name what is measured with it."""
        return "drain" if self.url is None else "webhooks"


class Peer(Protocol):
    """Another queue."""

    name: str
    title: str  # with its version
    best: ClassVar[Mapping[str, Settings]]  # by measure: the fastest that `search` found
    grid: ClassVar[Sequence[Settings]]  # what `search` tries

    def fill(self, backlog: Backlog) -> None:
        """Begin with this backlog and nothing else, inserted in bulk."""

    def command(self, backlog: Backlog, settings: Settings) -> Command:
        """Name one worker process; it prints the Unix time of its first claim."""

    def is_empty(self) -> bool:
        """Whether its ledger has nothing left to do: cheap, it is asked again and again."""

    def succeeded(self, backlog: Backlog) -> int:
        """Count what its ledger says went well."""
