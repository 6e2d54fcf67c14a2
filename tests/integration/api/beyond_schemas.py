"""Keep schemathesis from taking a body for valid that breaks a rule JSON Schema cannot say."""

import json
from typing import Any

import schemathesis

RELATED = ("send_at", "expires_at", "created_until")  # to the clock, or to another field
COUNTS = ("priority", "max_attempts", "limit")  # 2.0 is a whole number to JSON Schema


@schemathesis.serializer("application/x-ndjson")
def lines(context: Any, value: Any) -> bytes:
    """Write a body of text as it is."""
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leave out what only prose describes, and recipients that fit no channel."""
    body = case.body
    if case.path == "/notify/batch" and isinstance(body, list | str):
        # It answers 200, and for each item what is wrong; only too many are refused as a whole.
        return case.meta.generation.mode.is_positive
    if not isinstance(body, dict):
        return True
    fields = body | (body["filter"] if isinstance(body.get("filter"), dict) else {})
    return not (
        any(isinstance(fields.get(name), str) for name in RELATED)
        or any(isinstance(fields.get(name), float) for name in COUNTS)
        or "\\u0000" in json.dumps(body)
        or ("recipient" in body and body.get("channel") != "log")
    )
