"""The parameters of the OpenAPI document: headers, ids in paths, queries."""

from typing import Any

from service.api import destinations, examples
from service.api.list_query import PAGE_ROWS, PAGE_ROWS_MAX, PARAMETERS, TEXTS
from service.api.wait import SENTENCE, WAIT_S_MAX
from service.limits import IDEMPOTENCY_KEY_MAX_CHARS
from service.model.words import Channel, Status
from service.text.checks import WITHOUT_CONTROL

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
PAUSE_ID = {"name": "id", "in": "path", "required": True,
            "schema": {"type": "integer", "format": "int64", "minimum": 1}}  # fmt: skip
KEY_ID = {"name": "id", "in": "path", "required": True, "example": examples.KEY_ID,
          "schema": {"type": "string", "minLength": 1, "maxLength": 63}}  # fmt: skip
ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}


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
