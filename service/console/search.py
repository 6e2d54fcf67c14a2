"""The screen *Search*: which notifications there are, and verbs for all that match."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from multidict import MultiDict

from service.access.caller import Caller
from service.access.scopes import OPERATE, may
from service.api.cancel_many import CancelFilter
from service.api.parts import Parts
from service.api.read import NOTHING, PARAMETERS, permitted, visible
from service.api.redrive import RedriveFilter
from service.console.pages import redirected
from service.console.screen import Screen
from service.http.problems import Fault, Problem
from service.http.query import parameters
from service.ledger.api_store import PAGE_LOOK_MAX
from service.model import Channel, Found, Search, Status

HERE = "/console/search"
ROWS = 50
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
            return page_of(texts | {"id": wanted}, caller, faults=problem.faults)
        before = query.pop("cursor", None)
        which = permitted(Search(**query), caller)
        found = NOTHING
        if which is not None:
            async with self._lists.admitted():
                found = await self._reads.page(
                    which, limit=ROWS, before=before, looks_max=PAGE_LOOK_MAX
                )
        return page_of(texts, caller, which=which, found=found)


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


def page_of(
    texts: Mapping[str, str],
    caller: Caller,
    *,
    which: Search | None = None,
    found: Found = NOTHING,
    faults: tuple[Fault, ...] | Any = (),
) -> Screen:
    """Show the form as it was filled in, and what was found or is wrong."""
    first = {name: text for name, text in texts.items() if name in FIELDS}
    narrows = {} if which is None else {n: v for n, v in asdict(which).items() if v is not None}
    return Screen(
        template="search.html",
        title="Search",
        status=422 if faults else 200,
        shows={
            "texts": texts,
            "statuses": list(Status),
            "channels": list(Channel),
            "faults": {fault.parameter: fault.detail for fault in faults},
            "other_faults": [f for f in faults if f.parameter not in (*FIELDS, "id")],
            "url": link(texts),
            "first_url": link(first),
            "next_url": None
            if found.following is None
            else link({**first, "cursor": str(found.following)}),
            "exports": {
                kind: link({**texts, "format": kind}, "/export") for kind in ("csv", "ndjson")
            },
            "rows": [visible(row, caller) for row in found.rows],
            "found": found,
            "is_short": found.following is not None and len(found.rows) < ROWS,
            "is_first": "cursor" not in texts,
            "is_live": "cursor" not in texts and found.looked <= LIVE_LOOK_MAX,
            "producer": None if which is None else which.producer,
            "export_lines_max": EXPORT_LINES_MAX,
            "now": datetime.now(UTC).isoformat(),
            "all_verb": all_verb(narrows) if may(caller, OPERATE) and not faults else None,
        },
    )


def all_verb(narrows: Mapping[str, Any]) -> dict[str, Any]:
    """Say which verb may be used for all that match, with its filter; or in words, why none."""
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
    return {"verb": verb, "filter": {name: plain_value(value) for name, value in others.items()}}


def plain_value(value: Any) -> Any:
    """Write a value of a filter as JSON has it."""
    return value.isoformat() if isinstance(value, datetime) else value


def link(texts: Mapping[str, str], below: str = "") -> str:
    """Write the URL of a search, or of a page below it."""
    return f"{HERE}{below}?{urlencode(texts)}" if texts else f"{HERE}{below}"
