"""The screen *Search*: which notifications there are, and verbs for all that match."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from multidict import MultiDict

from service.access.caller import Caller
from service.access.scopes import OPERATE, may
from service.api.cancel_many import CancelFilter
from service.api.door import filter_fault
from service.api.list_query import PARAMETERS
from service.api.parts import Parts
from service.api.read import NOTHING
from service.api.redrive import RedriveFilter
from service.api.sight import permitted, visible
from service.console.pages import redirected
from service.console.screen import Screen
from service.http.problems import Fault, Problem
from service.http.query import parameters
from service.ledger.read_store import PAGE_LOOK_MAX
from service.model.notification import Notification
from service.model.search import Found, Search
from service.model.words import Channel, Status

HERE = "/console/search"
ROWS = 50
# Of a ledger of few days one look is one turn of ReadStore.page; of a long one several small ones.
LOOK_ENOUGH = PAGE_LOOK_MAX // 8
EXPORTS = ("csv", "ndjson")
EXPORT_LINES_MAX = 100_000
LIVE_LOOK_MAX = 2000  # what took a longer look is not looked for again each 5 s
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
ID_WRONG = (
    "This is no id, and no link to a notification. An id has 32 of 0-9 and a-f in five groups."
)
FIELDS = {name: PARAMETERS[name] for name in Search.__dataclass_fields__}
SHOWN = {**FIELDS, "cursor": PARAMETERS["cursor"]}
# What the verbs by filter take, and of which status they move all that match.
REDRIVE_TAKES = frozenset(RedriveFilter.__struct_fields__)
CANCEL_TAKES = frozenset(CancelFilter.__struct_fields__)
WORDS = {
    "last_error_code": "code",
    "created_from": "from",
    "created_until": "until",
}


class SearchScreen:
    """What is looked for, and what was found."""

    def __init__(self, parts: Parts) -> None:
        self._reads = parts.reads
        self._lists = parts.lists

    async def screen(self, request: web.Request, caller: Caller) -> Screen | web.Response:
        """Show a page of what matches; an id leads to its notification."""
        texts = {name: text for name, text in request.query.items() if text}
        wanted = texts.pop("id", "").strip()
        if match := ID.search(wanted):
            return redirected(f"/console/notifications/{match[0].lower()}")
        try:
            query = read_query(request, wanted)
        except Problem as problem:
            shows = form(texts | {"id": wanted}, faults=problem.faults)
            return Screen(template="search.html", title="Search", status=422, shows=shows)
        before = query.pop("cursor", None)
        which = permitted(Search(**query), caller)
        found = NOTHING
        if which is not None:
            async with self._lists.admitted(caller.producer):
                found = await self._reads.page(
                    which, limit=ROWS, before=before, looks_max=LOOK_ENOUGH
                )
        narrows = {n: v for n, v in asdict(which or Search()).items() if v is not None}
        return Screen(
            template="search.html",
            title="Search",
            shows=form(texts, narrows.get("producer"))
            | results(texts, found, [visible(row, caller) for row in found.rows])
            | {"all_verb": all_verb(narrows, caller) if may(caller, OPERATE) else None},
        )


def read_query(request: web.Request, wanted: str) -> dict[str, Any]:
    """Parse the query; `wanted`: a text that should hold an id. Raises Problem with every fault."""
    faults = [Fault("invalid_parameter", ID_WRONG, parameter="id")] if wanted else []
    query = MultiDict((name, text) for name, text in request.query.items() if name != "id")
    try:
        values = parameters(query, SHOWN)
    except Problem as problem:
        faults += problem.faults
    if faults:
        raise Problem(faults[0].code, faults=faults)
    return values


def form(
    texts: Mapping[str, str], producer: str | None = None, faults: Sequence[Fault] = ()
) -> dict[str, Any]:
    """Give what the form shows. `producer`: the only one whose notifications are searched."""
    return {
        "texts": texts,
        "statuses": list(Status),
        "channels": list(Channel),
        "producer": producer,
        "faults": {fault.parameter: fault.detail for fault in faults},
        "other_faults": [f for f in faults if f.parameter not in (*FIELDS, "id")],
    }


def results(texts: Mapping[str, str], found: Found, rows: list[Notification]) -> dict[str, Any]:
    """Give what is shown of a page of results. `rows`: as the caller may see them."""
    first = {name: text for name, text in texts.items() if name != "cursor"}
    following = None if found.following is None else str(found.following)
    is_first = "cursor" not in texts
    return {
        "found": found,
        "rows": rows,
        "url": link(texts),
        "first_url": link(first),
        "next_url": link({**first, "cursor": following}) if following else None,
        "exports": {kind: link({**texts, "format": kind}, "/export") for kind in EXPORTS},
        "export_lines_max": EXPORT_LINES_MAX,
        "is_short": following is not None and len(rows) < ROWS,
        "is_first": is_first,
        "is_live": is_first and found.looked <= LIVE_LOOK_MAX,
        "now": datetime.now(UTC).isoformat(),
    }


def all_verb(narrows: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """Say which verb a caller may use for all that match, with its filter; or why none."""
    status = narrows.get("status")
    verb = {"failed": "redrive", "queued": "cancel"}.get(str(status))
    if verb is None:
        return {"verb": None, "why": "To redrive all that match, search for status failed; to "
                "cancel all that match, for status queued."}  # fmt: skip
    takes = REDRIVE_TAKES if verb == "redrive" else CANCEL_TAKES
    others = {name: value for name, value in narrows.items() if name != "status"}
    if beyond := [WORDS.get(name, name) for name in others if name not in takes]:
        return {"verb": None, "why": f"There is no {verb} of all that match by "
                f"{' and '.join(beyond)}: leave that out, or select rows."}  # fmt: skip
    if verb == "redrive" and (fault := filter_fault(caller, narrows.get("channel"))):
        return {"verb": None, "why": held(fault[0])}
    return {"verb": verb, "filter": {name: plain_value(value) for name, value in others.items()}}


def held(code: str) -> str:
    """Say why a key that is held to something does not redrive all that match."""
    if code == "channel_not_allowed":
        return "To redrive all that match, search for one of your key's channels."
    return (
        "To redrive all that match takes a key for all recipients: select rows that yours reaches."
    )


def plain_value(value: Any) -> Any:
    """Write a value of a filter as JSON has it."""
    return value.isoformat() if isinstance(value, datetime) else value


def link(texts: Mapping[str, str], below: str = "") -> str:
    """Write the URL of a search, or of a page below it."""
    return f"{HERE}{below}?{urlencode(texts)}" if texts else f"{HERE}{below}"
