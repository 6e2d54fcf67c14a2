"""POST /notify."""

from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from service import traceparent
from service.access.caller import caller_of
from service.api.batcher import Batcher
from service.api.body import read_notification
from service.api.door import refuse_unless_sendable
from service.api.ready import Ready, ready
from service.api.views import Links, Receipt
from service.clock import Clock
from service.config.settings import Settings
from service.errors import Refused
from service.http.problems import KINDS, Fault, Problem, invalid
from service.limits import BODY_BYTES_MAX
from service.metrics import ApiMetrics
from service.model import Accepted, Channel

if TYPE_CHECKING:
    from service.tracing.tracer import Tracer

JSON_TYPES = frozenset({"application/json", "application/json; charset=utf-8"})

encode = msgspec.json.Encoder().encode


class EnqueueHandler:
    """Check, enqueue, answer after the commit."""

    def __init__(
        self,
        settings: Settings,
        batcher: Batcher,
        metrics: ApiMetrics,
        clock: Clock,
        *,
        tracer: "Tracer | None" = None,
    ) -> None:
        self._settings = settings
        self._now = clock.now
        self._batcher = batcher
        self._tracer = tracer
        self._enqueued = {channel: metrics.enqueued.labels(channel) for channel in Channel}
        self._failed = metrics.enqueue_failed

    async def post(self, request: web.Request) -> web.Response:
        """Answer 202, for a repetition 200, or raise Problem; all but repetitions are counted."""
        caller = caller_of(request)
        try:
            key = key_of(request) if "Idempotency-Key" in request.headers else None
            notification = read_notification(
                await read_body(request), self._settings, self._now, key
            )
            refuse_unless_sendable(caller, notification.channel, notification.recipient)
            item = ready(notification, caller, trace_of(request), self._tracer)
            accepted = await self._enqueue(item, caller.producer)
        except Problem as problem:
            self._failed.labels("invalid" if problem.kind.status < 500 else "unavailable").inc()
            raise
        if not accepted.replayed:
            self._enqueued[notification.channel].inc()
        return receipt(accepted)

    async def _enqueue(self, item: Ready, producer: str | None) -> Accepted:
        try:
            return await item.submit(self._batcher, producer)
        except Refused as refusal:
            raise refused(refusal) from None


def key_of(request: web.Request) -> str:
    """Read the header Idempotency-Key: a string in quotation marks, as drafted, or without."""
    first, *others = request.headers.getall("Idempotency-Key")
    if others:
        sentence = "Send one header Idempotency-Key, not several."
        raise invalid([Fault("invalid_idempotency_key", sentence, "")])
    is_quoted = len(first) > 1 and first[0] == first[-1] == '"'
    return first[1:-1] if is_quoted else first


def trace_of(request: web.Request) -> str | None:
    """Read the header traceparent; None: there is none, or none that is valid, or several."""
    headers = request.headers.getall("traceparent", ())
    return traceparent.read(headers[0]) if len(headers) == 1 else None


async def read_body(request: web.Request) -> bytes:
    """Read at most BODY_BYTES_MAX of what is declared as JSON. Raises Problem."""
    if request.headers.get("Content-Type") not in JSON_TYPES and not is_json(request):
        raise Problem("unsupported_media_type")
    if (request.content_length or 0) > BODY_BYTES_MAX:
        raise Problem("body_too_large")
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise Problem("body_too_large") from None
    except (web.RequestPayloadError, ConnectionError):
        raise Problem("unreadable_body") from None


def is_json(request: web.Request) -> bool:
    """Return whether the content type is JSON in UTF-8, in any spelling."""
    kind = request.content_type
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        return False
    return (request.charset or "utf-8").lower() in ("utf-8", "utf8")


def receipt(accepted: Accepted) -> web.Response:
    """Render the 202; for a repetition the same, as 200."""
    path = f"/notifications/{accepted.id}"
    headers = {"Content-Type": "application/json", "Location": path}
    if accepted.replayed:
        headers["Idempotency-Replayed"] = "true"
    return web.Response(
        body=encode(Receipt(id=accepted.id, created_at=accepted.created_at, links=Links(path))),
        status=200 if accepted.replayed else 202,
        headers=headers,
    )


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
