"""Days that turn over while a bench runs.

No clock can be moved, so the days are past ones: each is made, filled with copies of what was sent
today, and dropped, by the functions that the dispatcher calls at midnight.
"""

import time
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import psycopg

from load.bench.stack import Stack

ROWS = 10_000  # copied into each day
# No midnight copies anything, so the copies must not be what is measured: few at once, with pauses.
PIECE = 250
PAUSE_S = 0.02
MAKE = "select action, partition from notify.make_day(%s, 25000)"
DROP = "select notify.drop_day(%s)"
COPY = """
with newest as materialized (
  select n from notify.notifications n
  where n.id < %s and n.status = 'sent' order by n.id desc limit %s
), copied as (
  insert into {day} select c.* from newest
  cross join lateral jsonb_populate_record(n, jsonb_build_object('id', left(
    notify.id_floor(%s::timestamp at time zone 'utc')::text, 13) || substr((n).id::text, 14))) c
)
select (array_agg((n).id order by (n).id))[1] from newest
"""


class Days:
    """The days that were made and are not dropped yet; `dropped` counts the others."""

    def __init__(self, stack: Stack) -> None:
        self._url = stack.database_url
        self._made: list[date] = []
        self._next = datetime.now(UTC).date() - timedelta(days=2)
        self.dropped = 0

    def turn(self) -> None:
        """Drop what the last turn made, and make the day before; what is busy is left for later."""
        with psycopg.connect(self._url, autocommit=True) as conn:
            conn.execute("set lock_timeout = '200ms'")
            self._drop(conn)
            self._make(conn)

    def _drop(self, conn: "psycopg.Connection[tuple[object, ...]]") -> None:
        for day in list(self._made):
            if conn.execute(DROP, [day]).fetchall() == [("dropped",)]:
                self._made.remove(day)
                self.dropped += 1

    def _make(self, conn: "psycopg.Connection[tuple[object, ...]]") -> None:
        made = conn.execute(MAKE, [self._next]).fetchall()
        if ("made", f"notifications_{self._next:%Y%m%d}") not in made:
            return
        table = f"notify.notifications_{self._next:%Y%m%d}"
        # Without accept, which would give each row an id of today. In a transaction of its own:
        # this locks the day, and so every claim, and no midnight does it.
        conn.execute(f"alter table {table} disable trigger user")
        self._fill(conn, table)
        self._made.append(self._next)
        self._next -= timedelta(days=1)

    def _fill(self, conn: "psycopg.Connection[tuple[object, ...]]", table: str) -> None:
        """Copy the newest, from the newest on."""
        last: object = UUID(int=2**128 - 1)
        for _ in range(ROWS // PIECE):
            [(last,)] = conn.execute(COPY.format(day=table), [last, PIECE, self._next]).fetchall()
            if last is None:
                return
            time.sleep(PAUSE_S)
