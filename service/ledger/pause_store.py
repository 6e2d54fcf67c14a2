"""What the API asks of the ledger about pauses."""

from dataclasses import replace

import psycopg
from psycopg.rows import class_row

from service.errors import Refused
from service.ledger.key_store import By, Lend
from service.model.pause import Pause

PAUSED = "select * from notify.paused(%s, %s)"
PAUSE = "select id, is_new from notify.pause(%s, %s, %s, %s, %s, %s)"
RESUME = "select notify.resume(%s, %s, %s)"
WAITING_MAX = 10_000  # it counts no further for each
A_MISTAKE = "ND009"  # of who asks; the message says what to write


class PauseStore:
    """The calls about pauses. Every method may raise DatabaseAway."""

    def __init__(self, lend: Lend) -> None:
        """`lend` gives a connection for each call."""
        self._lend = lend

    async def list(self, id: int | None = None, *, count_max: int = WAITING_MAX) -> list[Pause]:
        """Read the pauses, newest first, or this one; up to 1000.

        `count_max`: what waits for each is counted so far, and ten times as far for all.
        """
        async with self._lend() as conn:
            cursor = conn.cursor(row_factory=class_row(Pause))
            await cursor.execute(PAUSED, [id, count_max])
            return await cursor.fetchall()

    async def pause(
        self, kind: str, name: str, channel: str | None, reason: str | None, by: By
    ) -> tuple[int, bool]:
        """Pause; returns the id, and whether it is new. Raises Refused with what to write."""
        async with self._lend() as conn:
            try:
                params = [kind, name, channel, reason, by.producer, by.key_id]
                [(id, is_new)] = await (await conn.execute(PAUSE, params)).fetchall()
            except psycopg.DatabaseError as error:
                if error.sqlstate != A_MISTAKE:
                    raise
                message, column = error.diag.message_primary, error.diag.column_name
                raise Refused(message or str(error), column=column or "") from error
            return id, is_new

    async def resume(self, id: int, by: By) -> Pause | None:
        """End a pause; returns it, with what waited when it was asked. None: there is none."""
        before = await self.list(id)
        async with self._lend() as conn:
            query = await conn.execute(RESUME, [id, by.producer, by.key_id])
            [(resumed_at,)] = await query.fetchall()
        return replace(before[0], resumed_at=resumed_at) if before and resumed_at else None
