"""What `notify adopt` asks of the ledger."""

from typing import cast

from service.ledger.store import Store


class AdoptStore(Store):
    """The calls of `notify adopt`. Every method may raise DatabaseAway."""

    async def discard(self, environment: str | None, limit: int) -> tuple[int, int]:
        """Cancel up to `limit` rows that the original sends; returns (matched, discarded).

        Raises Refused where the ledger is at home.
        """
        [(matched, discarded)] = await self._tuples(
            "select matched, discarded from notify.discard(%s, %s)", [environment, limit]
        )
        return matched, discarded

    async def adopt(self, environment: str | None, discarded: int) -> str:
        """Make this the ledger's home; returns adopted, declared or home."""
        [(done,)] = await self._tuples("select notify.adopt(%s, %s)", [environment, discarded])
        return cast("str", done)
