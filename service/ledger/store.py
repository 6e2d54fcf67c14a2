"""What every role of the asyncio side asks of the ledger; each has a store of its own on top."""

from datetime import datetime
from types import TracebackType
from typing import Self

from psycopg.rows import class_row

from service.errors import NotifyError
from service.ledger.faults import Fault
from service.ledger.pool import Pool
from service.ledger.schema import current_migration, functions, tables
from service.model import Gauges


class Store:
    """A pool of connections. A method calls one function of sql/, or is a read.

    Every method may raise DatabaseAway.
    """

    def __init__(self, url: str, role: str, *, connections_max: int = 4) -> None:
        self.pool = Pool(url, role, connections_max)

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
        async with self.pool.connection() as conn:
            cursor = await conn.execute("select id, now_s from notify.ledger()")
            id, now_s = (await cursor.fetchall())[0]
            return id, now_s

    async def missing(self) -> list[str]:
        """Say what is missing before work can be done; empty: ready. Never raises."""
        try:
            async with self.pool.connection() as conn:
                cursor = await conn.execute(
                    "select exists (select from public._yoyo_migration where migration_id = %s)",
                    [current_migration()],
                )
                row = await cursor.fetchone()
            if not (row and row[0]):
                return ["the schema is not current: run notify migrate"]
            faults = await self.faults(calls_all=False)
            return [str(fault) for fault in faults if fault.stops]
        except NotifyError as error:
            return [f"the database cannot be used: {error}"]

    async def faults(self, *, calls_all: bool = True) -> list[Fault]:
        """Say what of the schema is not as the road needs it. To call all costs by the day."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(Fault))
            await cursor.execute(
                "select fault, remedy, stops from notify.faults(%s, %s, %s)",
                [list(functions()), tables(), calls_all],
            )
            return await cursor.fetchall()

    async def gauges(self) -> Gauges:
        """Read how the queue stands."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(Gauges))
            await cursor.execute("select * from notify.gauges()")
            return (await cursor.fetchall())[0]

    async def born_ahead(self) -> datetime | None:
        """Say when the newest row was created, if that is a time to come."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute("select notify.born_ahead()")
            newest: datetime | None = (await cursor.fetchall())[0][0]
            return newest

    async def lock_room(self) -> tuple[int, int]:
        """Read how many locks the server has room for: per transaction, and in how many of them."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "select current_setting('max_locks_per_transaction')::integer,"
                " current_setting('max_connections')::integer"
                " + current_setting('max_prepared_transactions')::integer"
            )
            room: tuple[int, int] = (await cursor.fetchall())[0]
            return room
