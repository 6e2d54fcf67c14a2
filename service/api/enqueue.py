"""POST /notify."""

import asyncio

import msgspec
from aiohttp import web
from multidict import MultiMapping

from service import traceparent
from service.access.caller import Caller, caller_of
from service.api.batcher import Batcher
from service.api.door import refuse_if_lost
from service.api.intake import Intake
from service.api.ready import Ready
from service.api.views import Links, Receipt
from service.errors import Refused
from service.http.problem_kinds import KINDS
from service.http.problems import Fault, Problem, invalid
from service.limits import BODY_BYTES_MAX
from service.model.notification import Accepted
from service.model.words import Channel

JSON_TYPES = frozenset({"application/json", "application/json; charset=utf-8"})

encode = msgspec.json.Encoder().encode


class EnqueueHandler:
    """Check, enqueue, answer after the commit."""

    def __init__(self, intake: Intake, batcher: Batcher) -> None:
        self.intake = intake
        self._batcher = batcher

    async def post(self, request: web.Request) -> web.Response:
        """Answer 202, for a repetition 200, or raise Problem; all but repetitions are counted."""
        try:
            body = await read_body(request)
            caller = caller_of(request)  # as of now: a body may come slowly
            item = self.checked(request.headers, body, caller)
            accepted = await self._enqueue(item, caller)
        except Problem as problem:
            self.intake.count_failed(problem)
            raise
        self.count(item.notification.channel, accepted)
        status, headers, body = receipt(accepted)
        return web.Response(body=body, status=status, headers=headers)

    def checked(self, headers: MultiMapping[str], body: bytes, caller: Caller) -> Ready:
        """Read what a request brings. Raises Problem."""
        key = key_of(headers) if "Idempotency-Key" in headers else None
        return self.intake.checked(body, caller, trace_of(headers), key)

    def submit(self, item: Ready, caller: Caller) -> asyncio.Future[Accepted]:
        """Queue it; see Batcher.submit."""
        return item.submit(self._batcher, caller.producer)

    async def _enqueue(self, item: Ready, caller: Caller) -> Accepted:
        try:
            return await self.submit(item, caller)
        except Refused as refusal:
            raise refused(refusal) from None

    def count(self, channel: Channel, accepted: Accepted) -> None:
        """Count what was accepted, unless it is a repetition."""
        if not accepted.replayed:
            self.intake.count(channel)


def key_of(headers: MultiMapping[str]) -> str:
    """Read the header Idempotency-Key: a string in quotation marks, as drafted, or without."""
    first, *others = headers.getall("Idempotency-Key")
    if others:
        sentence = "Send one header Idempotency-Key, not several."
        raise invalid([Fault("invalid_idempotency_key", sentence, "")])
    is_quoted = len(first) > 1 and first[0] == first[-1] == '"'
    return first[1:-1] if is_quoted else first


def trace_of(headers: MultiMapping[str]) -> str | None:
    """Read the header traceparent; None: there is none, or none that is valid, or several."""
    traces = headers.getall("traceparent", ())
    return traceparent.read(traces[0]) if len(traces) == 1 else None


async def read_body(request: web.Request) -> bytes:
    """Read at most BODY_BYTES_MAX of what is declared as JSON. Raises Problem.

    Also if the key was revoked while the body came.
    """
    if request.headers.get("Content-Type") not in JSON_TYPES and not is_json(request):
        raise Problem("unsupported_media_type")
    if (request.content_length or 0) > BODY_BYTES_MAX:
        raise Problem("body_too_large")
    is_late = not request.content.is_eof()
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise Problem("body_too_large") from None
    except (web.RequestPayloadError, ConnectionError):
        raise Problem("unreadable_body") from None
    if is_late:
        await refuse_if_lost(request)
    return body


def is_json(request: web.Request) -> bool:
    """Return whether the content type is JSON in UTF-8, in any spelling."""
    kind = request.content_type
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        return False
    return (request.charset or "utf-8").lower() in ("utf-8", "utf8")


def receipt(accepted: Accepted) -> tuple[int, dict[str, str], bytes]:
    """Write the 202; for a repetition the same, as 200: status, headers and body."""
    path = f"/notifications/{accepted.id}"
    headers = {"Content-Type": "application/json", "Location": path}
    if accepted.replayed:
        headers["Idempotency-Replayed"] = "true"
    body = encode(Receipt(id=accepted.id, created_at=accepted.created_at, links=Links(path)))
    return 200 if accepted.replayed else 202, headers, body


def refused(refusal: Refused) -> Problem:
    """Turn a rule of the database into the problem of the field it names."""
    code = f"invalid_{refusal.column}"
    if refusal.constraint == "payload_is_at_most_256_kib":
        code = "payload_too_large"
    elif refusal.constraint == "idempotency_key_reused":
        code = refusal.constraint
    elif code not in KINDS:
        code = "refused_by_database"
    pointer = f"/{refusal.column}" if refusal.column else ""
    return invalid([Fault(code, refusal.hint or f"{refusal}.", pointer)])
