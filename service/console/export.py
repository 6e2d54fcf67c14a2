"""What was found as a file: NDJSON or CSV, streamed page by page, as much as its reader takes."""

import csv
import io
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec
from aiohttp import web

from service.access.caller import Caller
from service.access.scopes import READ, sees_payloads
from service.api.list_query import PAGE_ROWS_MAX
from service.api.matching import shown
from service.api.operate import used
from service.api.parts import Parts
from service.api.read import NOTHING
from service.api.read_limit import ReadLimit
from service.api.shown import summary
from service.api.sight import permitted
from service.api.views import Summary
from service.console.search import EXPORT_LINES_MAX, LOOK_ENOUGH, SHOWN, link
from service.errors import DatabaseAway, TookTooLong
from service.http.problems import Problem
from service.http.query import Parameters, parameters
from service.model.search import Found, Search

LOOK_MAX = 10_000_000  # rows, 10 s
WAITING_MAX = 20  # exports that wait for their next page, while another's is read,
WAIT_S = 10.0  # so long
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
# Where a semicolon or a tab separates, by the reader's country or choice, a quotation mark counts
# only at the beginning of a cell: one after a comma does not hold a field together.
FORMULA_WITHIN = re.compile(r"([;\t\r\n][ \"]*)(?=[=+@-])")
LOST = {
    "key_missing": "it takes a key now",
    "key_invalid": "the key is not valid any more",
    "scope_missing": "the rights of the key were changed",
}  # by the code of the problem
PERSONAL = ("recipient", "reference")
CSV_FIELDS = [name for name in Summary.__struct_fields__ if name != "links"]


class Lines(Protocol):
    """How an export is written."""

    content_type: str
    suffix: str

    def head(self) -> bytes:
        """Write what comes first."""

    def rows(self, rows: list[Summary]) -> bytes:
        """Write some notifications."""

    def end(self, end: "End") -> bytes:
        """Write the last line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How an export ended. `go_on`: where the rest is, None if that was all; `why`: it is cut."""

    lines: int
    go_on: str | None = None
    why: str = ""

    def __str__(self) -> str:
        if self.go_on is None:
            return f"{self.lines} lines; that is all"
        return f"{self.lines} lines; cut: {self.why}; go on with {self.go_on}"


class Ndjson:
    """One object of JSON a line, as GET /notifications has them; the last one has `end`."""

    content_type = "application/x-ndjson"
    suffix = "ndjson"

    def head(self) -> bytes:
        """Write nothing."""
        return b""

    def rows(self, rows: list[Summary]) -> bytes:
        """Write a line for each."""
        return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)

    def end(self, end: End) -> bytes:
        """Write how it ended."""
        ended = {
            "lines": end.lines, "is_cut": end.go_on is not None, "why": end.why or None,
            "next": end.go_on,
        }  # fmt: skip
        return msgspec.json.encode({"end": ended}) + b"\n"


class Csv:
    """RFC 4180, UTF-8. What a spreadsheet takes for a formula has an apostrophe before it.

    So has what would be one if the field were split.
    """

    content_type = "text/csv; charset=utf-8; header=present"
    suffix = "csv"

    def head(self) -> bytes:
        """Write the names of the fields."""
        return self._lines([CSV_FIELDS])

    def rows(self, rows: list[Summary]) -> bytes:
        """Write a line for each."""
        return self._lines([[cell(getattr(row, name)) for name in CSV_FIELDS] for row in rows])

    def end(self, end: End) -> bytes:
        """Write how it ended, in the first field."""
        return self._lines([[f"# {end}", *[""] * (len(CSV_FIELDS) - 1)]])

    def _lines(self, records: list[list[str]]) -> bytes:
        text = io.StringIO()
        csv.writer(text).writerows(records)
        return text.getvalue().encode("utf-8", "replace")


KINDS: dict[str, type[Lines]] = {"ndjson": Ndjson, "csv": Csv}


def kind(text: str) -> str:
    """Parse the name of a format."""
    if text not in KINDS:
        raise ValueError("no format")
    return text


ASKED: Parameters = {**SHOWN, "format": (f"Give one of {', '.join(KINDS)}, once.", kind)}


class Export:
    """Streams what matches. Between two pages it holds no connection of the database."""

    def __init__(self, parts: Parts) -> None:
        self._reads = parts.reads
        self._store = parts.store
        self._lists = parts.lists
        self._door = parts.door
        self._pages = ReadLimit(1, WAITING_MAX, WAIT_S)  # the other turn is for lists

    async def stream(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """Answer with a file. Raises Problem before it begins; later its last line says what was.

        It ends without one if its reader goes.
        """
        query = parameters(request.query, ASKED)
        lines = KINDS[query.pop("format", "ndjson")]()
        before = query.pop("cursor", None)
        which = permitted(Search(**query), caller)
        found = await self._page(which, before, PAGE_ROWS_MAX, caller)
        await self._refuse_if_changed(request, caller)
        if sees_payloads(caller):
            await self._record(caller, query)
        response = web.StreamResponse(headers=headers_of(lines))
        pieces = self._pieces(request, lines, which=which, found=found, caller=caller)
        with suppress(ConnectionError):
            await response.prepare(request)
            async for piece in pieces:
                if is_gone(request) or request.method == "HEAD":
                    break
                await response.write(piece)
        return response

    async def _pieces(
        self,
        request: web.Request,
        lines: Lines,
        *,
        which: Search | None,
        found: Found,
        caller: Caller,
    ) -> AsyncIterator[bytes]:
        """Give the file from its first page on; a page is read when the one before was taken."""
        yield lines.head()
        written, looked, why = 0, 0, ""
        while True:
            written += len(found.rows)
            looked += found.looked
            yield lines.rows([summary(row, caller) for row in found.rows])
            why = cut(written, looked)
            if found.following is None or why:
                break
            try:
                rows_max = min(PAGE_ROWS_MAX, EXPORT_LINES_MAX - written)
                page = await self._page(which, found.following, rows_max, caller)
                await self._refuse_if_changed(request, caller)
            except (Problem, DatabaseAway, TookTooLong) as error:
                code = error.code if isinstance(error, Problem) else ""
                why = LOST.get(code, "the database did not answer")
                break
            found = page
        go_on = None
        if found.following is not None:
            go_on = rest(request, found.following)
        yield lines.end(End(lines=written, why=why if go_on else "", go_on=go_on))

    async def _page(
        self, which: Search | None, before: UUID | None, rows_max: int, caller: Caller
    ) -> Found:
        """Read a page in its turn; of None there is nothing."""
        if which is None:
            return NOTHING
        producer = caller.producer
        async with self._pages.admitted(producer), self._lists.admitted(producer):
            return await self._reads.page(
                which, limit=rows_max, before=before, looks_max=LOOK_ENOUGH
            )

    async def _refuse_if_changed(self, request: web.Request, caller: Caller) -> None:
        """Raise Problem if what was read is not for who asks any more.

        After each page is read: it may have waited for its turn longer than a revoked key works.
        """
        if await self._door.still(request, READ) != caller:
            raise Problem("scope_missing", "The rights of the key were changed.")

    async def _record(self, caller: Caller, query: dict[str, Any]) -> None:
        """Write into the audit what is exported; not whose, which may speak of a person."""
        narrows = {n: "…" if n in PERSONAL else v for n, v in query.items()}
        if "destination" in narrows:
            narrows["destination"] = shown(narrows["destination"])
        detail = {"filter": msgspec.to_builtins(narrows)}
        use = used(caller, "export", detail)
        await self._store.record_use(use.actor, use.key_id, use.verb, use.detail)


def cut(written: int, looked: int) -> str:
    """Say why an export ends here; nothing: it does not."""
    if written >= EXPORT_LINES_MAX:
        return f"an export has {EXPORT_LINES_MAX} at most"
    return f"it looked at {looked} notifications" if looked >= LOOK_MAX else ""


def rest(request: web.Request, after: UUID) -> str:
    """Write the URL of what comes after a row."""
    texts = {name: text for name, text in request.query.items() if text}
    return link(texts | {"cursor": str(after)}, "/export")


def is_gone(request: web.Request) -> bool:
    """Return whether nobody reads any more."""
    return request.transport is None or request.transport.is_closing()


def headers_of(lines: Lines) -> dict[str, str]:
    """Name the file with the time."""
    name = f"notifications-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{lines.suffix}"
    return {
        "Content-Type": lines.content_type,
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }


def cell(value: object) -> str:
    """Write a value as text that is no formula (OWASP, CSV injection)."""
    if value is None:
        return ""
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    text = FORMULA_WITHIN.sub(r"\1'", text)
    return f"'{text}" if text.startswith(FORMULA) else text
