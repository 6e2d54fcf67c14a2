"""Read answers that say no. Nothing of them is trusted: each field is checked and bounded."""

import re
from collections.abc import Mapping
from email.message import Message
from typing import Any

from notification_client._loaded import loaded
from notification_client.errors import (
    Fault,
    Invalid,
    KeyInFlight,
    KeyReusedOverHttp,
    NotAuthorized,
    NotFound,
    NotUnderstood,
    Problem,
    RateLimited,
    TooLate,
    Unavailable,
)

TEXT_MAX_CHARS = 1000
ERRORS_MAX = 20
RETRY_AFTER_MAX_S = 86400.0

OF_CODE: Mapping[str, type[Problem]] = {
    "idempotency_key_in_flight": KeyInFlight,
    "idempotency_key_reused": KeyReusedOverHttp,
    "already_sending": TooLate,
    "already_settled": TooLate,
    "notification_locked": Unavailable,  # for a moment
}
OF_STATUS: Mapping[int, type[Problem]] = {
    400: Invalid, 401: NotAuthorized, 403: NotAuthorized, 404: NotFound, 413: Invalid, 415: Invalid,
    422: Invalid, 429: RateLimited, 502: Unavailable, 503: Unavailable, 504: Unavailable,
}  # fmt: skip


def document_of(body: bytes) -> dict[str, Any]:
    """Read a JSON object. Raises NotUnderstood."""
    try:
        document = loaded(body)
    except (ValueError, RecursionError):
        raise NotUnderstood("the answer is not JSON: is this the service's URL?") from None
    if not isinstance(document, dict):
        raise NotUnderstood("the answer is no JSON object: is this the service's URL?")
    return document


def problem_of(status: int, headers: Message, body: bytes) -> Problem:
    """Read an answer of 4xx or 5xx; one that is no problem document has only its status."""
    try:
        document = document_of(body)
    except NotUnderstood:
        document = {}
    return problem_in(document, status, retry_after(headers))


def problem_in(
    document: Mapping[str, Any], status: int, retry_after: float | None = None
) -> Problem:
    """Make the problem that a document describes; `status` is that of the answer."""
    code = printable(document.get("code")) or f"http_{status}"
    kind = OF_CODE.get(code) or OF_STATUS.get(status, Problem)
    errors = document.get("errors")
    return kind(
        code=code,
        type=printable(document.get("type")) or "about:blank",
        title=printable(document.get("title")),
        status=status,
        detail=printable(document.get("detail")),
        errors=[
            Fault(
                code=printable(fault.get("code")),
                detail=printable(fault.get("detail")),
                pointer=printable(fault["pointer"]) if "pointer" in fault else None,
            )
            for fault in (errors[:ERRORS_MAX] if isinstance(errors, list) else ())
            if isinstance(fault, dict)
        ],
        retry_after=retry_after,
    )


def printable(text: object) -> str:
    """Take a text, for people and logs: no control characters, not too long."""
    if not isinstance(text, str):
        return ""
    return "".join(c if c.isprintable() else "?" for c in text[:TEXT_MAX_CHARS])


def retry_after(headers: Message) -> float | None:
    """Read Retry-After in seconds; a date, which we never send, is not read."""
    text = headers.get("Retry-After", "")
    if not re.fullmatch("[0-9]{1,9}", text):
        return None
    return min(float(text), RETRY_AFTER_MAX_S)
