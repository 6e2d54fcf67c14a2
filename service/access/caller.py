"""Who calls the API: what their key says, or anybody where there are no keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, and what they may do.

    `producer` None: the role of the API's own connection speaks. `channels` and `recipients` None:
    all of them.
    """

    producer: str | None = None
    key_id: str | None = None
    kind: str = "live"  # or "test", or "team"
    scopes: frozenset[str] = frozenset({"admin"})
    channels: frozenset[str] | None = None
    recipients: tuple[str, ...] | None = None


ANYBODY = Caller()
CALLER = web.RequestKey("caller", Caller)  # the item of a request


def caller_of(request: Mapping[Any, Any]) -> Caller:
    """Return who made a request."""
    caller: Caller = request.get(CALLER, ANYBODY)
    return caller
