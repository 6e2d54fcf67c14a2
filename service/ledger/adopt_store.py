"""What `notify adopt` asks of the ledger."""

from typing import cast

import psycopg

from service.errors import Refused
from service.ledger.db import one_line
from service.ledger.store import Store

NOT_A_COPY = "ND007"


class AdoptStore(Store):
    """The calls of `notify adopt`. Every method may raise DatabaseAway."""

    async def discard(self, environment: str | None, limit: int) -> tuple[int, int]:
        """Cancel up to `limit` rows that the original sends; returns (matched, discarded).

        Raises Refused where the ledger is at home.
        """
        try:
            [(matched, discarded)] = await self._tuples(
                "select matched, discarded from notify.discard(%s, %s)", [environment, limit]
            )
        except psycopg.DatabaseError as error:
            if error.sqlstate != NOT_A_COPY:
                raise
            raise Refused(one_line(error)) from error
        return matched, discarded

    async def adopt(self, environment: str | None, discarded: int) -> str:
        """Make this the ledger's home; returns adopted, declared or home."""
        [(done,)] = await self._tuples("select notify.adopt(%s, %s)", [environment, discarded])
        return cast("str", done)
