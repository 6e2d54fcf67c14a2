"""What more than one role of the asyncio side asks of the ledger; each has its own store on top."""

from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar, cast
from uuid import UUID

from psycopg.abc import Params
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from service.errors import NotifyError
from service.home import Home
from service.ledger.faults import Fault
from service.ledger.pool import Pool
from service.ledger.schema import current_migration, functions, tables
from service.model.leader import Gauges
from service.traceparent import read, trace_id

IS_CURRENT = "select exists (select from public._yoyo_migration where migration_id = %s)"
NOT_CURRENT = "the schema is not current: run notify migrate"
LOCK_ROOM = """
select current_setting('max_locks_per_transaction')::integer,
  current_setting('max_connections')::integer
  + current_setting('max_prepared_transactions')::integer
"""
# The bounds say which days to read.
TRACES = """
select id, traceparent from notify.notifications
where id = any(%(ids)s) and id between %(first)s and %(last)s and traceparent is not null
"""

Row = TypeVar("Row")


class Store:
    """A pool of connections. A method calls one function of sql/, or is a read.

    Every method may raise DatabaseAway.
    """

    def __init__(self, url: str, role: str, *, connections_max: int = 4) -> None:
        self.pool = Pool(url, role, connections_max)

    @classmethod
    def beside(cls, other: "Store") -> Self:
        """Make one that asks on the connections of another, which opens and closes them."""
        made = cls.__new__(cls)
        made.pool = other.pool
        return made

    async def __aenter__(self) -> Self:
        """Open the pool: a database that is away is no error."""
        await self.pool.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.pool.close()

    async def ledger(self) -> tuple[str, float]:
        """Read which ledger this is, and its clock, in seconds since 1970."""
        [(id, now_s)] = await self._tuples("select id, now_s from notify.ledger()")
        return id, now_s

    async def home(self, environment: str | None) -> Home:
        """Say whether the ledger is at home here, for a role of this ENVIRONMENT."""
        [home] = await self._rows(Home, "select * from notify.home(%s)", [environment])
        return home

    async def notice_copy(self, environment: str | None) -> None:
        """Note that it is not: what is created from now on stays when a copy is adopted."""
        await self._tuples("select notify.notice_copy(%s)", [environment])

    async def missing(self) -> list[str]:
        """Say what is missing before work can be done; empty: ready. Never raises."""
        try:
            if not await self.is_current():
                return [NOT_CURRENT]
            faults = await self.faults(calls_all=False)
            return [str(fault) for fault in faults if fault.stops]
        except NotifyError as error:
            return [f"the database cannot be used: {error}"]

    async def is_current(self) -> bool:
        """Say whether this release has migrated, and the one that did so last knows of it."""
        [(is_current,)] = await self._tuples(IS_CURRENT, [current_migration()])
        return bool(is_current)

    async def faults(self, *, calls_all: bool = True) -> list[Fault]:
        """Say what of the schema is not as the road needs it.

        `calls_all`: call also the functions that lock the partition of each day.
        """
        return await self._rows(
            Fault,
            "select fault, remedy, stops from notify.faults(%s, %s, %s)",
            [list(functions()), tables(), calls_all],
        )

    async def gauges(self) -> Gauges:
        """Read how many notifications wait and are being sent."""
        [gauges] = await self._rows(Gauges, "select * from notify.gauges()")
        return gauges

    async def trace_ids(self, ids: Sequence[UUID]) -> dict[UUID, str]:
        """Read of which trace each of these is; those of none are missing."""
        bounds = {"ids": ids, "first": min(ids), "last": max(ids)}
        traces = {id: read(text) for id, text in await self._tuples(TRACES, bounds)}
        return {id: trace_id(trace) for id, trace in traces.items() if trace is not None}

    async def born_ahead(self) -> datetime | None:
        """Return when the newest row was created, if that is in the future."""
        [(newest,)] = await self._tuples("select notify.born_ahead()")
        return cast("datetime | None", newest)

    async def record_use(
        self, actor: str | None, key_id: str | None, verb: str, detail: dict[str, Any]
    ) -> None:
        """Write into the audit that somebody used a verb; no recipient belongs into `detail`.

        `actor` None: the role that we have in the database.
        """
        params = [actor, key_id, verb, Jsonb(detail)]
        await self._tuples("select notify.record_use(%s, %s, %s, %s)", params)

    async def lock_room(self) -> tuple[int, int]:
        """Read how many locks the server has room for: per transaction, and in how many of them."""
        [(per_transaction, transactions)] = await self._tuples(LOCK_ROOM)
        return per_transaction, transactions

    async def _rows(self, kind: type[Row], query: str, params: Params | None = None) -> list[Row]:
        """Read rows as values of a dataclass whose fields are the columns."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(kind))
            await cursor.execute(query, params)
            return await cursor.fetchall()

    async def _tuples(self, query: str, params: Params | None = None) -> list[tuple[Any, ...]]:
        async with self.pool.connection() as conn:
            return await (await conn.execute(query, params)).fetchall()
