"""What a screen answers: the name of its template, and what that shows."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from service.access.caller import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """A page to be rendered. `title`: without the name of the service."""

    template: str
    title: str
    shows: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


View = Callable[[web.Request, Caller], Awaitable[Screen | web.StreamResponse]]
