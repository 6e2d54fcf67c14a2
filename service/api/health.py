"""GET /healthz and /readyz."""

from aiohttp import web

from service.api.read import json_response
from service.api.views import Readiness
from service.ledger.store import Store


async def alive(request: web.Request) -> web.Response:
    """Answer that the process runs; check nothing else."""
    return web.Response(body=b'{"status":"alive"}', headers={"Content-Type": "application/json"})


class ReadyHandler:
    """Answer whether work can be done."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def ready(self, request: web.Request) -> web.Response:
        """Answer 200, or 503 with what is missing."""
        missing = await self._store.missing()
        response = json_response(Readiness("not ready" if missing else "ready", missing))
        if missing:
            response.set_status(503)
            response.headers["Retry-After"] = "1"
        return response
