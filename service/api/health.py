"""GET /healthz and /readyz."""

from aiohttp import web

from service.api.json_answer import json_response
from service.api.shared import Shared
from service.api.views import Readiness
from service.home import Home
from service.ledger.store import Store

KEEP_S = 1.0  # what was found counts so long


async def alive(request: web.Request) -> web.Response:
    """Answer that the process runs; check nothing else."""
    return web.Response(body=b'{"status":"alive"}', headers={"Content-Type": "application/json"})


async def sandbox(request: web.Request) -> web.Response:
    """Answer that the process runs, and that it sends nothing to anybody."""
    body = b'{"status":"alive","sandbox":true}'
    return web.Response(body=body, headers={"Content-Type": "application/json"})


class ReadyHandler:
    """Answer whether work can be done: one look for all who ask, as anybody may."""

    def __init__(self, store: Store, environment: str | None) -> None:
        self._store = store
        self._environment = environment
        self._shared = Shared(self._look, KEEP_S)

    async def ready(self, request: web.Request) -> web.Response:
        """Answer 200, also in a copy of a ledger, or 503 with what is missing."""
        found = await self._shared.get()
        if not isinstance(found, Home):
            response = json_response(Readiness("not ready", found))
            response.set_status(503)
            response.headers["Retry-After"] = "1"
            return response
        if found.is_home:
            return json_response(Readiness("ready"))
        hint = f"{found.fault(self._environment)}, and nothing is sent: {found.remedy}"
        return json_response(Readiness("degraded", hint=hint))

    async def _look(self) -> Home | list[str]:
        """Return where the ledger is at home, or what is missing."""
        return await self._store.missing() or await self._store.home(self._environment)
