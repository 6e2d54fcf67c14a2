"""Keep schemathesis from taking a body for valid that breaks a rule JSON Schema cannot say."""

import json
import os
from typing import Any

import schemathesis

RELATED = ("send_at", "expires_at", "created_until")  # to the clock, or to another field
OF_KEYS = ("kind", "recipients", "burst")  # which go together, and what a pattern is
COUNTS = ("priority", "max_attempts", "limit", "grace_s", "burst")  # 2.0 is whole to JSON Schema
NDJSON = "application/x-ndjson"
OWN_KEY = os.environ.get("TEST_KEY_ID")  # of the key by which it asks


@schemathesis.serializer(NDJSON)
def lines(context: Any, value: Any) -> bytes:
    """Write a body of text as it is."""
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leave out what only prose describes, and recipients that fit no channel.

    Nor may it end its own key: after that each request waits to be refused.
    """
    if OWN_KEY in (case.path_parameters or {}).values():
        return False
    body = case.body
    if isinstance(body, list) or case.media_type == NDJSON:
        # A batch is answered 200, and says what is wrong of each item.
        return case.meta.generation.mode.is_positive
    if not isinstance(body, dict):
        return True
    fields = body | (body["filter"] if isinstance(body.get("filter"), dict) else {})
    return not (
        any(isinstance(fields.get(name), str) for name in RELATED)
        or any(isinstance(fields.get(name), float) for name in COUNTS)
        or "\\u0000" in json.dumps(body)
        or (has_key(case) and case.meta.generation.mode.is_positive)
        or ("producer" in body and any(body.get(name) for name in OF_KEYS))
        or ("producer" in body and not str(body["producer"]).isprintable())
        or ("name" in body and body.get("kind") == "destination")  # an origin, or a domain
        or ("name" in body and body.get("channel"))  # which only a destination has
        or ("recipient" in body and body.get("channel") != "log")
    )


@schemathesis.hook
def map_case(context: Any, case: Any) -> Any:
    """Wait for no end for longer than a second: nothing here ends."""
    wait = str((case.query or {}).get("wait", ""))
    if wait.isdigit() and 1 < int(wait) <= 30:
        case.query["wait"] = 1
    return case


def has_key(case: Any) -> bool:
    """Return whether a request has an idempotency key: another with the same is refused."""
    key = case.body.get("idempotency_key")
    return isinstance(key, str) or "Idempotency-Key" in (case.headers or {})
