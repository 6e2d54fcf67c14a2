"""What the screen of destinations asks of the ledger beside FigureStore and PauseStore."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from service.ledger.key_store import Lend

MEANINGS = """
select c.code, m.meaning, m.advice
from pg_catalog.unnest(%s::text[]) as c(code) cross join lateral notify.failure_means(c.code) m
"""
HEARD = """
select pg_catalog.clock_timestamp() as now_at,
  (select pg_catalog.max(w.beat_at) from notify.workers w
    where w.beat_at < pg_catalog.clock_timestamp() + interval '30 seconds') as beat_at,
  (select pg_catalog.max(m.minute) from notify.destination_minutes m) as minute
"""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the code of a failed attempt means. `advice` None: nothing but another attempt."""

    meaning: str
    advice: str | None


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard last, by the ledger's clock. None: never."""

    now_at: datetime
    beat_at: datetime | None  # of any worker
    minute: datetime | None  # that any worker counted


class DestinationStore:
    """The reads. Every method may raise DatabaseAway."""

    def __init__(self, lend: Lend) -> None:
        """`lend` gives a connection for each call."""
        self._lend = lend

    async def meanings(self, codes: Sequence[str]) -> dict[str, Meaning]:
        """Read what codes mean, by code."""
        async with self._lend() as conn:
            cursor = await conn.execute(MEANINGS, [list(codes)])
            return {code: Meaning(*words) for code, *words in await cursor.fetchall()}

    async def heard(self) -> Heard:
        """Read when workers were heard of."""
        async with self._lend() as conn:
            cursor = conn.cursor(row_factory=class_row(Heard))
            await cursor.execute(HEARD)
            [heard] = await cursor.fetchall()
            return heard
