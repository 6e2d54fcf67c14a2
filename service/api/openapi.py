"""The OpenAPI 3.1 document, made from the types that decode and encode."""

from datetime import datetime
from typing import Any

import msgspec

from service.access.scopes import ADMIN, CANCEL, OPERATE, READ, SEND
from service.api import destinations, examples
from service.api.body import NewNotification
from service.api.cancel_many import CancelFilter, CancelMany
from service.api.examples import Examples
from service.api.keys import NewKey, Rotation
from service.api.pauses import PRODUCER_OF_ROW_MAX_CHARS, NewPause
from service.api.probe import Probe
from service.api.read import PAGE_ROWS, PAGE_ROWS_MAX, PARAMETERS, TEXTS
from service.api.redrive import Redrive, RedriveFilter
from service.api.samples import with_samples
from service.api.views import (
    BatchReport,
    Cancellation,
    CancelReport,
    DestinationList,
    Detail,
    Explanation,
    KeyList,
    KeyMade,
    Page,
    PauseList,
    ProbeReport,
    Readiness,
    Receipt,
    RedriveReport,
)
from service.api.wait import SENTENCE, WAIT_S_MAX
from service.channels.table import CHANNELS
from service.config.settings import Settings
from service.http.problems import KINDS, ProblemDocument
from service.limits import (
    BATCH_BODY_BYTES_MAX,
    BATCH_ITEMS_MAX,
    BODY_BYTES_MAX,
    IDEMPOTENCY_KEY_MAX_CHARS,
)
from service.model.words import Channel, Status
from service.text.checks import WITHOUT_CONTROL

ABOUT = f"""\
Durable notifications on PostgreSQL, delivered at least once. What is accepted (202) is committed.

A client that hears 503, or nothing, repeats its request with the same `Idempotency-Key`: the answer
may have been lost after the commit. The same request with the same key counts once: it is answered
as it was first, with 200 and `Idempotency-Replayed: true`. Another request with that key is refused
(422). A key is its producer's own and counts for some time, a day unless the operator says
otherwise. It may be a field of the body as well, and a column of an INSERT. Without one, sending
again may deliver twice.

Bodies are JSON in UTF-8 of at most {BODY_BYTES_MAX // 1024} KiB. A batch holds up to
{BATCH_ITEMS_MAX:,} such bodies, of {BATCH_BODY_BYTES_MAX // 1024**2} MiB together.
Whole numbers are written without a fraction (`2`, not `2.0`). Of duplicate names in an object the
last counts. Null means the same as leaving an optional field out. The payload is kept as
PostgreSQL's jsonb: its value stays, its white space and the order of its names do not."""

READ_PROBLEMS = (400, 401, 403, 415, 417, 421, 429, 503)
MOVE_PROBLEMS = READ_PROBLEMS
BODY_PROBLEMS = (413, 422, *MOVE_PROBLEMS)


NULL = {"type": "null"}

# Msgspec's schemas cannot say this: either ids or a filter, and a filter has a field at least.
ONE_OF_BOTH = {
    "oneOf": [
        {"required": [name], "properties": {name: {"not": {"type": "null"}}, other: NULL}}
        for name, other in (("ids", "filter"), ("filter", "ids"))
    ]
}
# Nor this: what may be in a name depends on what is paused.
NAMED = {
    "anyOf": [
        {"properties": {"kind": {"const": "channel"}, "name": {"enum": list(Channel)}}},
        {
            "properties": {
                "kind": {"const": "producer"},
                "name": {"maxLength": PRODUCER_OF_ROW_MAX_CHARS},
            }
        },
        {
            "properties": {
                "kind": {"const": "destination"},
                "channel": {"enum": [Channel.WEBHOOK, Channel.EMAIL, None]},
            }
        },
    ]
}


def document(settings: Settings, inbox_url: str | None, now: datetime) -> bytes:
    """Build the document. `inbox_url`: the inbox that the example of a webhook goes to, if any.

    The times in its examples are valid for an hour from `now`.
    """
    types = [
        NewNotification, *(channel.payload for channel in CHANNELS.values() if channel.payload),
        Receipt, BatchReport, Detail, Explanation, Page, Cancellation, CancelMany, CancelReport,
        Redrive, RedriveReport, Probe, ProbeReport, DestinationList, Readiness, ProblemDocument,
        NewKey, KeyMade, KeyList, Rotation, NewPause, PauseList,
    ]  # fmt: skip
    _, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schemas["Redrive"] |= ONE_OF_BOTH
    schemas["RedriveFilter"] |= narrows(RedriveFilter)
    schemas["CancelFilter"] |= narrows(CancelFilter)
    schemas["NewPause"] |= NAMED
    return msgspec.json.encode({
        "openapi": "3.1.0",
        "info": {"title": "Notification service", "version": "1", "description": ABOUT},
        "paths": with_samples(paths(examples.enqueueing(settings, inbox_url, now), now)),
        "components": {
            "schemas": schemas,
            "responses": problem_responses(),
            "securitySchemes": {"key": BEARER},
        },
        "x-problems": problems(),
    })  # fmt: skip


def narrows(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Say that a filter has one field at least."""
    return {
        "anyOf": [
            {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
            for name in kind.__struct_fields__
        ]
    }


def paths(to_enqueue: Examples, now: datetime) -> dict[str, Any]:
    """Describe every path a client uses, with examples of bodies that are right at `now`."""
    return {
        "/notify": {"post": operation(
            SEND, "enqueue", "Deliver this to them", (409, *BODY_PROBLEMS),
            {"202": answer("Accepted: it is committed and will be delivered.", "Receipt",
                           headers={"Location": header("Where to ask what became of it.")}),
             "200": answer("The same request was accepted before: this is what it was answered.",
                           "Receipt", headers={
                               "Location": header("Where to ask what became of it."),
                               "Idempotency-Replayed": header("true.")})},
            parameters=[KEY, TRACEPARENT],
            requestBody={"required": True, "content": {"application/json": {
                "schema": ref("NewNotification"), "examples": to_enqueue}}})},
        "/notify/batch": {"post": operation(
            SEND, "enqueue_batch", "Deliver these to them, each accepted or refused by itself",
            BODY_PROBLEMS,
            {"200": answer("What became of each, in their order. A 503 is about the whole batch.",
                           "BatchReport", headers={"Retry-After": header(
                               "Seconds; when some of them are to be sent again.")})},
            parameters=[TRACEPARENT],
            requestBody={"required": True, "content": batches(to_enqueue)})},
        "/notifications/{id}": {"get": operation(
            READ, "find", "What became of it, attempt by attempt", (404, 422, *READ_PROBLEMS),
            {"200": answer("The notification.", "Detail")},
            parameters=[ID, WAIT])},
        "/notifications/{id}/explain": {"get": operation(
            READ, "explain", "Why it is where it is, in plain sentences", (404, *READ_PROBLEMS),
            {"200": answer("The reasons, the most important first.", "Explanation")},
            parameters=[ID])},
        "/notifications/{id}/cancel": {"post": operation(
            CANCEL, "cancel", "Call it off, if nobody is sending it", (404, 409, *MOVE_PROBLEMS),
            {"200": answer("It will not be sent, whether it was called off now or before.",
                           "Cancellation")},
            parameters=[ID])},
        "/notifications/{id}/send-again": {"post": operation(
            OPERATE, "send_again", "Send a copy of what has ended",
            (404, 409, 422, *MOVE_PROBLEMS),
            {"202": answer("Accepted: a new notification, whose `repeats` is this one.", "Receipt",
                           headers={"Location": header("Where to ask what became of it.")})},
            parameters=[ID])},
        "/notifications": {"get": operation(
            READ, "page", "List notifications, newest first", (422, *READ_PROBLEMS),
            {"200": answer("One page, no totals. Go on while there is a `next`.", "Page")},
            parameters=query_parameters())},
        "/cancel": {"post": operation(
            OPERATE, "cancel_many", "Call off all that are queued and match, or count them",
            BODY_PROBLEMS,
            {"200": answer("What was called off; what would be, for a dry run.", "CancelReport")},
            requestBody={"required": True, "content": {"application/json": {
                "schema": ref("CancelMany"), "examples": examples.cancelling(now)}}})},
        "/redrive": {"post": operation(
            OPERATE, "redrive", "Queue failed notifications again, or count them",
            (409, *BODY_PROBLEMS),
            {"200": answer("What was redriven; what would be, for a dry run.", "RedriveReport")},
            requestBody={"required": True, "content": {"application/json": {
                "schema": ref("Redrive"), "examples": examples.redriving(now)}}})},
        "/destinations/probe": {"post": operation(
            OPERATE, "probe", "Try a destination at once that workers keep notifications back from",
            (404, *BODY_PROBLEMS),
            {"202": answer("It will be tried within seconds: what will happen.", "ProbeReport")},
            requestBody={"required": True, "content": {"application/json": {
                "schema": ref("Probe"), "examples": examples.probing()}}})},
        "/pauses": {
            "get": operation(
                OPERATE, "pauses", "List what is paused, and how many wait", READ_PROBLEMS,
                {"200": answer("The pauses, newest first.", "PauseList")}),
            "post": operation(
                OPERATE, "pause", "Pause a destination, a channel or a producer",
                (404, *BODY_PROBLEMS),
                {"201": answer("It is paused: what it covers is not sent from now on. What was "
                               "being sent still is, and so is what names the host of a paused "
                               "destination in letters beyond ASCII.", "PauseView"),
                 "200": answer("It was paused already, and stays as it is.", "PauseView")},
                requestBody={"required": True, "content": {"application/json": {
                    "schema": ref("NewPause"), "examples": examples.pausing()}}})},
        "/pauses/{id}/resume": {"post": operation(
            OPERATE, "resume", "End a pause: what waits comes back, bit by bit",
            (404, *MOVE_PROBLEMS),
            {"200": answer("It has ended, now or before.", "PauseView")},
            parameters=[PAUSE_ID])},
        "/destinations": {"get": operation(
            OPERATE, "destinations", "Where notifications went in the last hour, and how that was",
            (422, *READ_PROBLEMS),
            {"200": answer("The busiest first.", "DestinationList")},
            parameters=[HOW_MANY])},
        "/keys": {
            "get": operation(
                ADMIN, "keys", "List the API keys, without their secrets", READ_PROBLEMS,
                {"200": answer("The keys, newest first.", "KeyList")}),
            "post": operation(
                ADMIN, "create_key", "Make an API key", (409, *BODY_PROBLEMS),
                {"201": answer("The key, which is shown this once.", "KeyMade")},
                requestBody={"required": True, "content": {"application/json": {
                    "schema": ref("NewKey"), "examples": examples.making_keys()}}})},
        "/keys/{id}/revoke": {"post": operation(
            ADMIN, "revoke_key", "End an API key for good", (404, *MOVE_PROBLEMS),
            {"200": answer("It has ended: the service takes it for some seconds at most.",
                           "KeyView")},
            parameters=[KEY_ID])},
        "/keys/{id}/rotate": {"post": operation(
            ADMIN, "rotate_key", "Make a successor, and let the old key end after a grace",
            (404, 409, *BODY_PROBLEMS),
            {"201": answer("The successor, which is shown this once.", "KeyMade")},
            parameters=[KEY_ID],
            requestBody={"required": True, "content": {"application/json": {
                "schema": ref("Rotation"), "examples": examples.rotating()}}})},
        "/healthz": {"get": operation(
            None, "alive", "Is the process running", (), {"200": {"description": "It is."}})},
        "/readyz": {"get": operation(
            None, "ready", "Can work be done", (),
            {"200": answer("Yes.", "Readiness"), "503": answer("Not yet.", "Readiness")})},
        "/metrics": {"get": operation(
            None, "metrics", "For Prometheus", (), {"200": {"description": "The metrics."}})},
    }  # fmt: skip


def batches(to_enqueue: Examples) -> dict[str, Any]:
    """Describe the body of a batch: an array, or one notification a line."""
    bodies = [example["value"] for example in to_enqueue.values()]
    text = "".join(f"{msgspec.json.encode(body).decode()}\n" for body in bodies)
    array = {"type": "array", "items": ref("NewNotification"), "maxItems": BATCH_ITEMS_MAX}
    line = (
        "One NewNotification a line; a wrong line costs only itself, and blank ones do not count."
    )
    return {
        "application/json": {"schema": array, "examples": {"array": {"value": bodies}}},
        "application/x-ndjson": {
            "schema": {"type": "string", "minLength": 1, "description": line},
            "examples": {"lines": {"value": text}},
        },
    }


def operation(
    need: str | None,
    name: str,
    summary: str,
    problems: tuple[int, ...],
    responses: dict[str, Any],
    **more: Any,
) -> dict[str, Any]:
    """Describe one method of one path. `need`: the scope that its key must have, if any."""
    failures = {str(status): {"$ref": f"#/components/responses/{status}"} for status in problems}
    described = {"operationId": name, "summary": summary, "responses": responses | failures}
    return described | keyed(need) | more


def keyed(need: str | None) -> dict[str, Any]:
    """Say which key an operation needs: but for the keys themselves, none while there are none."""
    if need is None:
        return {"security": []}
    security: list[dict[str, list[str]]] = [{"key": []}]
    if need != ADMIN:
        security.append({})
    return {"description": f"Needs a key with scope {need}.", "security": security}


def answer(description: str, schema: str, **more: Any) -> dict[str, Any]:
    """Describe one JSON answer."""
    content = {"application/json": {"schema": ref(schema)}}
    return {"description": description, "content": content, **more}


def header(description: str) -> dict[str, Any]:
    """Describe one header."""
    return {"description": description, "schema": {"type": "string"}}


def ref(name: str) -> dict[str, str]:
    """Refer to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Your own name for this request, such as a random UUID. Send it again with the "
    "same to be sure that it counts once.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": IDEMPOTENCY_KEY_MAX_CHARS,
        **WITHOUT_CONTROL,
    },
}

TRACEPARENT = {
    "name": "traceparent",
    "in": "header",
    "description": "The trace that this belongs to (W3C Trace Context): kept, sent on with a "
    "webhook, and in every log line as trace_id. In a batch it is every notification's. One that "
    "is not valid is ignored.",
    "schema": {"type": "string"},
}


def query_parameters() -> list[dict[str, Any]]:
    """Describe the parameters of the list."""
    schemas: dict[str, dict[str, Any]] = {
        "status": {"type": "string", "enum": list(Status)},
        "channel": {"type": "string", "enum": list(Channel)},
        **{
            name: {"type": "string", "maxLength": longest, **WITHOUT_CONTROL}
            for name, longest in TEXTS.items()
        },
        "created_from": {"type": "string", "format": "date-time"},
        "created_until": {"type": "string", "format": "date-time"},
        "limit": {"type": "integer", "minimum": 1, "maximum": PAGE_ROWS_MAX, "default": PAGE_ROWS},
        "cursor": {"type": "string", "format": "uuid"},
    }
    return [
        {"name": name, "in": "query", "description": sentence, "schema": or_empty(schemas[name])}
        for name, (sentence, _) in PARAMETERS.items()
    ]


def or_empty(schema: dict[str, Any]) -> dict[str, Any]:
    """Allow the empty text as well: it counts as if the parameter were left out."""
    return {"anyOf": [schema, {"type": "string", "maxLength": 0}]}


def problem_responses() -> dict[str, Any]:
    """Describe one answer per HTTP status that has problems."""
    statuses = sorted({kind.status for kind in KINDS.values()})
    return {str(status): problem_response(status) for status in statuses}


def problem_response(status: int) -> dict[str, Any]:
    """Describe the problems of one status."""
    codes = [code for code, kind in KINDS.items() if kind.status == status]
    response: dict[str, Any] = {
        "description": "One of the codes " + ", ".join(codes),
        "content": {"application/problem+json": {"schema": ref("ProblemDocument")}},
    }
    if status in (409, 429, 503):
        which = "Seconds; with idempotency_key_in_flight." if status == 409 else "Seconds."
        response["headers"] = {"Retry-After": header(which)}
    if status == 401:
        response["headers"] = {"WWW-Authenticate": header("What is expected: a bearer key.")}
    return response


def problems() -> dict[str, Any]:
    """List the codes with what they mean, for the page that `type` points to."""
    return {
        code: {"status": kind.status, "title": kind.title, "advice": kind.advice}
        for code, kind in KINDS.items()
    }


BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "nk_<id>_<secret>",
    "description": "`notify keys create` makes the first key. Until there is one, anybody who "
    "reaches the API on this machine may call.",
}
PAUSE_ID = {"name": "id", "in": "path", "required": True,
            "schema": {"type": "integer", "format": "int64", "minimum": 1}}  # fmt: skip
KEY_ID = {"name": "id", "in": "path", "required": True, "example": examples.KEY_ID,
          "schema": {"type": "string", "minLength": 1, "maxLength": 63}}  # fmt: skip
ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
HOW_MANY = {
    "name": "limit", "in": "query", "description": destinations.PARAMETERS["limit"][0],
    "schema": or_empty({"type": "integer", "minimum": 1, "maximum": destinations.ROWS_MAX,
                        "default": destinations.ROWS}),
}  # fmt: skip
WAIT = {
    "name": "wait", "in": "query",
    "description": "Wait until it has ended, this long at most; then it is answered as it is. "
    f"{SENTENCE}",
    "schema": or_empty({"type": "integer", "minimum": 0, "maximum": WAIT_S_MAX, "default": 0}),
}  # fmt: skip
