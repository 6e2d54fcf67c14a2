"""The OpenAPI 3.1 document, made from the types that decode and encode."""

from datetime import datetime
from typing import Any

import msgspec

from service.api import examples
from service.api.body import NewNotification
from service.api.cancel_many import CancelFilter, CancelMany
from service.api.keys import NewKey, Rotation
from service.api.operations import header, paths, ref
from service.api.pauses import PRODUCER_OF_ROW_MAX_CHARS, NewPause
from service.api.probe import Probe
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
from service.channels.table import CHANNELS
from service.config.settings import Settings
from service.http.problem_kinds import KINDS
from service.http.problems import ProblemDocument
from service.limits import BATCH_BODY_BYTES_MAX, BATCH_ITEMS_MAX, BODY_BYTES_MAX
from service.model.words import Channel

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
BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "nk_<id>_<secret>",
    "description": "`notify keys create` makes the first key. Until there is one, anybody who "
    "reaches the API on this machine may call.",
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
