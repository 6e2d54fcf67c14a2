"""What the inbox asks the ledger: which notifications they are that arrived."""

from service.ledger.store import Store
from service.model.notification import Known

# The bounds say which days to read.
KNOWN = """
select id, channel, recipient, reference from notify.notifications
where id = any(%(ids)s::uuid[]) and id between %(first)s::uuid and %(last)s::uuid
"""


class InboxStore(Store):
    """The inbox's call."""

    async def known(self, ids: list[str]) -> dict[str, Known]:
        """Read what is known by id; ids that are nobody's are left out. May raise DatabaseAway."""
        if not ids:
            return {}
        bounds = {"ids": ids, "first": min(ids), "last": max(ids)}
        return {str(known.id): known for known in await self._rows(Known, KNOWN, bounds)}
