"""What may be said of a notification: read strictly, before anything is sent."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypedDict

from notification_client._json import bad_character, plain

NOTIFICATIONS_MAX = 1000
TEXTS = ("channel", "recipient", "reference", "idempotency_key", "traceparent")
TIMES = ("send_at", "expires_at")
# Beyond both ends of what is allowed, and within what PostgreSQL's integer takes: the service
# itself refuses it, in its words.
RANGES = {"priority": (-1, 4), "max_attempts": (0, 101)}
REQUIRED = ("channel", "recipient", "payload")


class HttpOptions(TypedDict, total=False):
    """What may be said besides. None is the service's default."""

    reference: str | None
    priority: int | None
    send_at: datetime | None
    expires_at: datetime | None
    idempotency_key: str | None
    max_attempts: int | None
    traceparent: str | None


class Options(HttpOptions, total=False):
    """What may be said besides in SQL."""

    notify_on_end: bool | None


HTTP_OPTIONS = frozenset(HttpOptions.__annotations__)
OPTIONS = HTTP_OPTIONS | {"notify_on_end"}


def read(said: Mapping[str, Any], options: frozenset[str]) -> dict[str, Any]:
    """Return the members as JSON has them, without those that say nothing.

    Raises TypeError for a name or a kind that is not known, ValueError for a wrong value.
    """
    if unknown := sorted(str(name) for name in said if name not in options | set(REQUIRED)):
        raise TypeError(f"no such option: {unknown[0]}. Use {', '.join(sorted(options))}")
    for name in REQUIRED:
        if name not in said:
            raise TypeError(f"{name} is missing")
    members = {name: value_of(name, said[name]) for name in said if name != "payload"}
    members = {name: value for name, value in members.items() if value is not None}
    for name in ("channel", "recipient"):
        if name not in members:
            raise TypeError(f"{name} is a text, not None")
    return members | {"payload": plain(said["payload"])}


def value_of(name: str, value: Any) -> Any:
    """Read one argument beside the payload."""
    if value is None:
        return None
    if name in TEXTS:
        return text(name, value)
    if name in TIMES:
        return time(name, value)
    if name in RANGES:
        return whole(name, value)
    if not isinstance(value, bool):
        raise TypeError(f"{name} is True or False, not {type(value).__name__}")
    return value


def text(name: str, value: Any) -> str:
    """Read a text; one of a subclass, such as a member of a StrEnum, is taken for its content."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is a text, not {type(value).__name__}")
    content = str.__str__(value)
    if bad := bad_character(content):
        raise ValueError(f"{name} contains {bad}, which PostgreSQL cannot store")
    return content


def time(name: str, value: Any) -> str:
    """Read a time, which must have an offset: one without is another moment on each machine."""
    if not isinstance(value, datetime):
        raise TypeError(f"{name} is a datetime, not {type(value).__name__}")
    if value.utcoffset() is None:
        raise ValueError(f"{name} has no offset: use datetime.now(UTC), or say tzinfo")
    try:
        return datetime.isoformat(datetime.astimezone(value, UTC))
    except OverflowError:
        raise ValueError(f"{name} is before the year 1 or after 9999 in UTC") from None


def whole(name: str, value: Any) -> int:
    """Read a number; one that is far out becomes one that is just out."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is a whole number, not {type(value).__name__}")
    low, high = RANGES[name]
    return min(max(int.__int__(value), low), high)


def read_all(notifications: Any, options: frozenset[str]) -> list[dict[str, Any]]:
    """Read up to NOTIFICATIONS_MAX; an error says which of them is wrong."""
    result: list[dict[str, Any]] = []
    for place, said in enumerate(notifications):
        if place == NOTIFICATIONS_MAX:
            raise ValueError(f"more than {NOTIFICATIONS_MAX} notifications: send them in parts")
        if not isinstance(said, Mapping):
            raise TypeError(f"notification {place}: a dict, not {type(said).__name__}")
        try:
            result.append(read(said, options))
        except (TypeError, ValueError) as error:
            raise type(error)(f"notification {place}: {error}") from None
    return result
