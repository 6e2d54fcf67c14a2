"""Every screen of the console, read from its routes: one that is added is walked by itself."""

import asyncio
from typing import Any, cast
from unittest.mock import MagicMock
from uuid import UUID

from aiohttp import web
from prometheus_client import CollectorRegistry

from service.api.app import create_app
from service.config.settings import Settings
from service.console.console import MENU, add_console
from service.metrics import ApiMetrics

# Files, events and frames; and what the inbox caught, which test_try.py lets arrive first.
NO_SCREENS = {
    "/console/{path}",
    "/console/static/{name}",
    "/console/search/export",
    "/console/notifications/{id}/events",
    *(f"/console/try/caught/{{key}}{part}" for part in ("", "/mail", "/source")),
}
# Of a screen of one notification, its states: a page of each shows other parts.
STATES = ("sent", "mail", "failed", "expired", "cancelled", "sending", "retried", "queued", "later")


def screens() -> list[str]:
    """Give the paths of all screens; in place of an id stands the name of a state, as {sent}."""
    found: list[str] = []
    for path in paths():
        if "{id}" in path:
            found += [path.replace("{id}", f"{{{state}}}") for state in STATES]
        else:
            found.append(path)
    return found


def paths() -> list[str]:
    """Give the console's paths of GET, as their routes have them."""
    router = asyncio.run(made()).router
    found = {
        cast("Any", route.resource).canonical for route in router.routes() if route.method == "GET"
    }
    menu = [path for path, _ in MENU]
    others = {path for path in found if path.startswith("/console/")} - NO_SCREENS - {*menu}
    return menu + sorted(others)


async def made() -> web.Application:
    """Build the application; no handler of it is called."""
    nowhere = MagicMock()  # what it would need to answer
    return create_app(
        Settings(), nowhere, nowhere, ApiMetrics(CollectorRegistry()), keys=nowhere, ring=nowhere,
        pages=add_console,
    )  # fmt: skip


def placed(path: str, ids: dict[str, UUID]) -> str:
    """Put an id into a path, in place of its name."""
    for name, id in ids.items():
        path = path.replace(f"{{{name}}}", str(id))
    return path
