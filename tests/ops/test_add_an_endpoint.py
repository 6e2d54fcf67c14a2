"""A route is in every place that "Add an endpoint" of ops/ARCHITECTURE.md names.

Besides, tests/ops/test_stability.py holds ops/STABILITY.md, tests/integration/api/test_contract.py
the answers, and tests/unit/api/test_openapi.py the examples.
"""

import asyncio
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from aiohttp import web
from prometheus_client import CollectorRegistry

from service.api.app import create_app
from service.api.openapi import document
from service.cli import client
from service.cli.parser import parser
from service.config.settings import Settings
from service.metrics import ApiMetrics

PATHS: dict[str, dict[str, Any]] = json.loads(document(Settings(), None, datetime.now(UTC)))[
    "paths"
]
FOR_PEOPLE = {("GET", "/"), ("GET", "/docs"), ("GET", "/openapi.json")}  # they show the document
# By operation, the function of service/cli/client.py and the command that ask for it.
COMMANDS = {
    "enqueue": ("send", "send"),
    "find": ("status", "status"),
    "explain": ("explain", "explain"),
    "page": ("page", "list"),
    "destinations": ("destinations", "destinations"),
    "cancel": ("cancel", "cancel"),
    "send_again": ("send_again", "send-again"),
    "cancel_many": ("cancel_many", "cancel"),
    "redrive": ("redrive", "redrive"),
    "pauses": ("pauses", "pauses"),
    "pause": ("pause", "pause"),
    "resume": ("resume", "resume"),
    "probe": ("probe", "probe"),
}
# Of /notify/batch, `notify send` does one; `notify keys` does in the database what /keys does.
FOR_PROGRAMS = {"enqueue_batch", "keys", "create_key", "revoke_key", "rotate_key"}
FOR_MACHINES = {"alive", "ready", "metrics"}  # probes and Prometheus need no command


async def made() -> web.Application:
    """Build the application; no handler of it is called."""
    nowhere = cast("Any", SimpleNamespace(pool=None))
    return create_app(
        Settings(), nowhere, nowhere, ApiMetrics(CollectorRegistry()), keys=nowhere, ring=nowhere
    )


def routes() -> set[tuple[str, str]]:
    """Give method and path of each route, without HEAD: aiohttp adds it to GET by itself."""
    found = {
        (route.method, cast("Any", route.resource).canonical)
        for route in asyncio.run(made()).router.routes()
    }
    return {(method, path) for method, path in found if method not in ("HEAD", "*")}


def test_routes_and_described_operations_are_the_same():
    described = {
        (method.upper(), path) for path, methods in PATHS.items() for method in methods
    } | FOR_PEOPLE
    undescribed, gone = routes() - described, described - routes()
    assert not undescribed, f"service/api/operations.py: paths() lacks {undescribed}"
    assert not gone, f"service/api/app.py: create_app() has no route for {gone}"


def test_every_operation_has_a_command_or_is_for_machines():
    operations = {o["operationId"] for methods in PATHS.values() for o in methods.values()}
    missing = operations - COMMANDS.keys() - FOR_MACHINES - FOR_PROGRAMS
    assert not missing, f"{missing}: give it a command, or say here that it is for machines"
    for function, command in COMMANDS.values():
        assert callable(getattr(client, function, None)), f"service/cli/client.py: {function}()"
        assert command in parser().commands, f"service/cli/*_commands.py: notify {command}"


def test_operations_have_names_of_their_own_and_say_what_they_do():
    operations = [o for methods in PATHS.values() for o in methods.values()]
    assert len({o["operationId"] for o in operations}) == len(operations)
    assert all(o["summary"] and o["responses"] for o in operations)
