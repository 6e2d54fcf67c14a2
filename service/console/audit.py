"""The screen *Audit*: who used which verb, when, with which key, and what came of it."""

import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

from aiohttp import web

from service.access.caller import Caller
from service.api.parts import Parts
from service.api.read_limit import ReadLimit
from service.console.screen import Screen
from service.http.problems import Fault, invalid

FILTERS = {"verb": 63, "actor": 255, "key": 63}  # the longest that the ledger keeps
ROWS = 50
ID_MAX = 2**63 - 1
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
IDS_SHOWN = 5


class Audit:
    """Shows the uses, newest first."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.reads
        self._turns = ReadLimit(1, 100)

    async def screen(self, request: web.Request, caller: Caller) -> Screen:
        """Show a page; `?before=N` goes on."""
        filters = {name: filter_of(request.query, name) for name in FILTERS}
        before = before_of(request.query)
        async with self._turns.admitted(caller.producer):
            uses, following = await self._store.audit(
                verb=filters["verb"], actor=filters["actor"], key_id=filters["key"],
                before=before, limit=ROWS,
            )  # fmt: skip
        given = {name: value for name, value in filters.items() if value is not None}
        return Screen(
            template="audit.html",
            title="Audit",
            shows={
                "uses": [(use, list(told(use.detail))) for use in uses],
                "filters": filters,
                "longest": FILTERS,
                "is_filtered": bool(given),
                "is_first": before is None,
                "newest": f"{request.path}?{urlencode(given)}",
                "next": following and f"{request.path}?{urlencode(given | {'before': following})}",
            },
        )


def told(detail: object, within: str = "") -> Iterator[tuple[str, str, bool]]:
    """Tell a detail as (name, value, whether that is the id of a notification)."""
    if not isinstance(detail, dict):  # somebody's hand wrote it
        detail = {"detail": detail}
    for name, value in detail.items():
        path = f"{within}{name}"
        if isinstance(value, dict):
            yield from told(value, f"{path}.")
        elif name == "ids" and isinstance(value, list):
            yield "notifications", str(len(value)), False
            yield from (("id", str(id), is_id(id)) for id in value[:IDS_SHOWN])
        elif isinstance(value, str):
            yield path, value, path in ("id", "copy") and is_id(value)
        else:
            yield path, json.dumps(value, ensure_ascii=False), False


def is_id(value: object) -> bool:
    """Return whether a value is a notification's id."""
    return isinstance(value, str) and UUID.fullmatch(value) is not None


def filter_of(query: Mapping[str, str], name: str) -> str | None:
    """Read a filter; None: everything. What the ledger cannot hold is cut, and finds nothing."""
    text = query.get(name, "").strip().replace("\0", "\ufffd")
    return text[: FILTERS[name] + 1] or None


def before_of(query: Mapping[str, str]) -> int | None:
    """Read the cursor. Raises Problem."""
    text = query.get("before", "")
    if not text:
        return None
    if len(text) <= 19 and text.isascii() and text.isdigit() and int(text) <= ID_MAX:
        return int(text)
    raise invalid([Fault("invalid_parameter", "Go on from a page's link.", parameter="before")])
