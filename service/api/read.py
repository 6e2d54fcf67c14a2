"""GET /notifications/{id}, GET /notifications/{id}/explain and GET /notifications."""

from dataclasses import asdict
from uuid import UUID

from aiohttp import web

from service.access.caller import Caller, caller_of
from service.access.scopes import sees_all
from service.api.json_answer import json_response
from service.api.list_query import PAGE_ROWS, PARAMETERS, next_link, uuid
from service.api.shown import shown, summary
from service.api.sight import is_own, permitted
from service.api.views import Explanation, Links, Page, PageLinks, Reason
from service.http.problems import Problem
from service.http.query import parameters
from service.ledger.read_store import ReadStore
from service.model.notification import Notification
from service.model.search import Found, Search

NOTHING = Found(rows=[])


class ReadHandler:
    """Answer what became of notifications."""

    def __init__(self, store: ReadStore) -> None:
        self._store = store

    async def find(self, request: web.Request) -> web.Response:
        """Answer one notification."""
        return shown(request, await self.seen(request))

    async def seen(self, request: web.Request) -> Notification:
        """Read the notification in the path. Raises Problem if the caller may see none there."""
        return await self.found(notification_id(request), caller_of(request))

    async def found(self, id: UUID, caller: Caller) -> Notification:
        """Read a notification. Raises Problem if the caller may see none with this id."""
        notification = await self._store.find(id)
        if notification is None or not (sees_all(caller) or is_own(notification.producer, caller)):
            raise Problem("notification_not_found")
        return notification

    async def explain(self, request: web.Request) -> web.Response:
        """Answer why one notification is where it is."""
        id, caller = notification_id(request), caller_of(request)
        sender = await self._store.sender(id)
        if sender is None or not (sees_all(caller) or is_own(sender[0], caller)):
            raise Problem("notification_not_found")
        reasons = [Reason(**asdict(sentence)) for sentence in await self._store.explain(id)]
        return json_response(Explanation(id, reasons, Links(f"/notifications/{id}/explain")))

    async def page(self, request: web.Request) -> web.Response:
        """Answer a page of the list, with the link to the next one."""
        query, caller = parameters(request.query, PARAMETERS), caller_of(request)
        limit = query.pop("limit", PAGE_ROWS)
        before = query.pop("cursor", None)
        which = permitted(Search(**query), caller)
        found = NOTHING if which is None else await self._store.page(
            which, limit=limit, before=before
        )  # fmt: skip
        following = str(found.following) if found.following else None
        items = [summary(row, caller) for row in found.rows]
        return json_response(Page(items, following, PageLinks(next_link(request, following))))


def notification_id(request: web.Request) -> UUID:
    """Return the id in the path. Raises Problem: a text that is no UUID names no notification."""
    text = request.match_info["id"]
    try:
        return uuid(text)
    except ValueError:
        raise Problem("notification_not_found") from None
