"""GET /healthz and /readyz."""

from aiohttp import web

from service.api.json_answer import json_response
from service.api.views import Readiness
from service.ledger.store import Store


async def alive(request: web.Request) -> web.Response:
    """Answer that the process runs; check nothing else."""
    return web.Response(body=b'{"status":"alive"}', headers={"Content-Type": "application/json"})


async def sandbox(request: web.Request) -> web.Response:
    """Answer that the process runs, and that it sends nothing to anybody."""
    body = b'{"status":"alive","sandbox":true}'
    return web.Response(body=body, headers={"Content-Type": "application/json"})


class ReadyHandler:
    """Answer whether work can be done."""

    def __init__(self, store: Store, environment: str | None) -> None:
        self._store = store
        self._environment = environment

    async def ready(self, request: web.Request) -> web.Response:
        """Answer 200, also in a copy of a ledger, or 503 with what is missing."""
        if missing := await self._store.missing():
            response = json_response(Readiness("not ready", missing))
            response.set_status(503)
            response.headers["Retry-After"] = "1"
            return response
        home = await self._store.home(self._environment)
        if home.is_home:
            return json_response(Readiness("ready"))
        hint = f"{home.fault(self._environment)}, and nothing is sent: {home.remedy}"
        return json_response(Readiness("degraded", hint=hint))
