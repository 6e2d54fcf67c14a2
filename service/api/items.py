"""The body of POST /notify/batch: how it is read, and how it comes apart into items."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
from aiohttp import web

from service.api.decoding import no_json
from service.api.door import refuse_if_lost
from service.api.enqueue import JSON_TYPES, is_json
from service.api.slices import in_slices
from service.api.storable import too_deep
from service.http.problems import Problem, invalid
from service.limits import BATCH_BODY_BYTES_MAX, BATCH_ITEMS_MAX, NESTING_MAX
from service.text.outline import Flat, plain

NDJSON_TYPES = frozenset({"application/x-ndjson", "application/ndjson"})
NDJSON_UTF8 = ("utf-8", "utf8")
BODIES_BYTES_MAX = 32 * 1024 * 1024
PRODUCER_BYTES_MAX = BODIES_BYTES_MAX // 2  # three bodies of the largest size
LINES_MAX = 2 * BATCH_ITEMS_MAX  # blank ones included
BLANKS = b" \t\r"
BATCH_LEVELS_MAX = NESTING_MAX + 2  # of an array of objects that have payloads

NONE = msgspec.Raw()
# An array of so many values and no more: a list's decoder would read millions before it counts.
Items = msgspec.defstruct(
    "Items",
    [(f"item_{place}", msgspec.Raw, NONE) for place in range(BATCH_ITEMS_MAX)],
    array_like=True,
    forbid_unknown_fields=True,
)
decode_items = msgspec.json.Decoder(Items).decode


@dataclass(slots=True)
class Bodies:
    """The bodies of batches that are in memory, whole or not: together BODIES_BYTES_MAX at most.

    Of one producer PRODUCER_BYTES_MAX: then uploads of one that stand still keep nobody else out.
    """

    held_bytes: int = 0
    by_producer: dict[str | None, int] = field(default_factory=dict)

    @asynccontextmanager
    async def read(self, request: web.Request, producer: str | None) -> AsyncIterator[bytes]:
        """Read a body, which counts until the context ends. Raises Problem.

        Also if the key was revoked while the body came.
        `producer` None: there are no keys, so there is nobody to leave room for.
        """
        is_late = not request.content.is_eof()
        body = bytearray()  # no list of parts: a client may send two bytes at a time
        try:
            await self._receive(request, producer, body)
            if is_late:
                await refuse_if_lost(request)
            yield bytes(body)
        finally:
            self._count(producer, -len(body))

    async def _receive(self, request: web.Request, producer: str | None, body: bytearray) -> None:
        """Add what comes to `body`, until it ends or there is too much of it."""
        if (request.content_length or 0) > BATCH_BODY_BYTES_MAX:
            raise too_large()
        try:
            async for part in request.content.iter_any():
                body += part
                self._count(producer, len(part))
                if len(body) > BATCH_BODY_BYTES_MAX:
                    raise too_large()
                if self._is_full_for(producer):
                    raise Problem("overloaded")
        except (web.RequestPayloadError, ConnectionError):
            raise Problem("unreadable_body") from None
        if not body:
            raise Problem("empty_body", "Send an array of notifications, or one a line.")

    def _count(self, producer: str | None, bytes_: int) -> None:
        """Add to what is held; a producer that holds nothing has no entry."""
        self.held_bytes += bytes_
        held = self.by_producer.pop(producer, 0) + bytes_
        if held:
            self.by_producer[producer] = held

    def _is_full_for(self, producer: str | None) -> bool:
        """Return whether there is more than may be held, of all or of this producer."""
        if self.held_bytes > BODIES_BYTES_MAX:
            return True
        return producer is not None and self.by_producer.get(producer, 0) > PRODUCER_BYTES_MAX


def is_ndjson(request: web.Request) -> bool:
    """Return whether the body is one JSON value a line. Raises Problem if it is no JSON at all."""
    if request.headers.get("Content-Type") in JSON_TYPES or is_json(request):
        return False
    is_utf8 = (request.charset or "utf-8").lower() in NDJSON_UTF8
    if request.content_type in NDJSON_TYPES and is_utf8:
        return True
    raise Problem(
        "unsupported_media_type", "Send Content-Type: application/json or application/x-ndjson."
    )


def lines(body: bytes) -> list[bytes]:
    """Return the lines of NDJSON that are not blank. Raises Problem if there are too many."""
    found = body.split(b"\n", LINES_MAX)
    items = [line for line in found[:LINES_MAX] if line.strip(BLANKS)]
    if len(found) > LINES_MAX or len(items) > BATCH_ITEMS_MAX:
        raise too_many()
    return items


async def elements(body: bytes) -> list[bytes]:
    """Return the elements of a JSON array, not looked at yet. Raises Problem.

    What a string holds, and how deep a value is, is left to the check of the item that has it.
    """
    try:
        return split(body)
    except (msgspec.DecodeError, RecursionError):
        outline = plain(body)
    try:
        try:
            return cut(body, outline)
        except RecursionError:
            return cut(body, await flattened(outline))
    except msgspec.DecodeError as error:
        raise no_json(body, error) from None
    except RecursionError:
        raise invalid([too_deep("")]) from None


def split(array: bytes) -> list[bytes]:
    """Return the elements of a JSON array. Raises Problem, DecodeError or RecursionError."""
    try:
        items = decode_items(array)
    except msgspec.ValidationError as error:
        raise (too_many() if "length" in str(error) else Problem("not_an_array")) from None
    return [bytes(item) for item in msgspec.structs.astuple(items) if item is not NONE]


def cut(body: bytes, outline: bytes) -> list[bytes]:
    """Return the elements of a body that is cut where its outline is. Raises as split() does."""
    found: list[bytes] = []
    end = 0
    for item in split(outline):
        begin = outline.index(item, end)  # before it are blanks and a comma, which begin no item
        end = begin + len(item)
        found.append(body[begin:end])
    return found


async def flattened(outline: bytes) -> bytes:
    """Make a string of each value that is too deep for any item, in slices: it may take seconds."""
    flat = Flat(outline, BATCH_LEVELS_MAX)
    await in_slices(flat.follow, flat.tokens())
    return bytes(flat.json)


def too_large() -> Problem:
    """Return the problem of too many bytes."""
    sentence = f"Send at most {BATCH_BODY_BYTES_MAX // 1024**2} MiB at once."
    return Problem("batch_too_large", sentence)


def too_many() -> Problem:
    """Return the problem of too many items, or lines."""
    return Problem("batch_too_large", f"Send at most {BATCH_ITEMS_MAX} notifications at once.")
