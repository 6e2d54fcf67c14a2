"""The heart's calls of the ledger: that this worker lives, and what it knows.

Everything raises DatabaseAway when PostgreSQL cannot be reached, gave up on a statement
or has no schema yet.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec

from service.logs.outage import Outage
from workers.claim import Parked
from workers.ledger_session import Session
from workers.parkings import Kept, Parking
from workers.rollups import Row

BEAT = """
select notify.beat(%s::pg_catalog.text, %s::pg_catalog.text, %s::pg_catalog.text,
  %s::pg_catalog.text, %s::pg_catalog.text[], pg_catalog.make_interval(secs => %s), %s, %s,
  %s::pg_catalog.int8, pg_catalog.make_interval(secs => %s))
"""
ASKED_PROBES = "select channel, destination, asked_at from notify.asked_probes()"
NOTE_DESTINATIONS = (
    "select notify.note_destinations(%s, %s::pg_catalog.jsonb, %s::pg_catalog.jsonb)"
)
ADD_MINUTES = "select notify.add_minutes(%s::pg_catalog.jsonb)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What a worker says of itself each time."""

    host: str
    version: str
    environment: str | None
    channels: list[str]
    patience_s: float


class Asked(NamedTuple):
    """A destination that is to be tried at once, and when that was asked for."""

    channel: str
    destination: str
    asked_at: datetime


class HeartStore:
    """What the heart says and asks, on a connection of its own."""

    def __init__(self, database_url: str, worker: str, outage: Outage) -> None:
        """`worker`: "host:pid-token"; `outage`: learns whether PostgreSQL answers."""
        self._worker = worker
        self._session = Session(database_url, "heart", outage)

    def beat(self, says: Beat, *, slots: int, in_flight: int, settled: int, up_s: float) -> bool:
        """Say that this worker lives; returns whether the ledger did not know it."""
        about = (says.host, says.version, says.environment, says.channels, says.patience_s)
        [(is_new,)] = self._session.rows(
            BEAT, (self._worker, *about, slots, in_flight, settled, up_s)
        )
        return bool(is_new)

    def note_destinations(
        self, begun: Mapping[Kept, Parking], ended: Collection[Kept], now: float
    ) -> None:
        """Note what is kept back from now on, and what no longer is."""
        rows = [
            {
                **asdict(kept),
                "code": parking.code,
                "ago_s": now - parking.since,
                "in_s": parking.until - now if kept.state is Parked.URL else None,
            }
            for kept, parking in begun.items()
        ]
        gone = [asdict(kept) for kept in ended]
        self._session.rows(NOTE_DESTINATIONS, (self._worker, json.dumps(rows), json.dumps(gone)))

    def add_minutes(self, at_s: float, rows: Sequence[Row]) -> None:
        """Add what was counted in the minute that began at `at_s`, since 1970."""
        counts = msgspec.json.encode({"at": at_s, "rows": rows}).decode()
        self._session.rows(ADD_MINUTES, (counts,))

    def asked_probes(self) -> set[Asked]:
        """Read which destinations are to be tried at once."""
        return {Asked(*row) for row in self._session.rows(ASKED_PROBES, ())}

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        self._session.close()
