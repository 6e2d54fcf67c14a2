"""The HTTP edge on a free port, in a thread of its own, and a client that takes any bytes."""

import asyncio
import json
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection
from types import SimpleNamespace
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry

from service.access.ring import KeyRing
from service.api.app import READS_AT_ONCE, create_app
from service.api.runner import create_runner
from service.api.serve import may_be_open
from service.clock import Clock
from service.config.settings import Settings
from service.console.console import add_console
from service.errors import DatabaseAway
from service.http.connections import Limits
from service.inbox.inbox import Inbox
from service.ledger.enqueue_store import EnqueueStore
from service.ledger.key_store import KeyStore
from service.ledger.read_store import ReadStore
from service.metrics import ApiMetrics
from service.names.guard import LOOPBACK
from tests.integration.workers.ending import accept_no_more

LIMIT_S = 60.0
HOOK = {"channel": "webhook", "recipient": "http://127.0.0.1:3080/hook", "payload": {"n": 1}}
MAIL = {"channel": "email", "recipient": "me@example.com", "payload": {"subject": "s", "text": "t"}}
LINE = {"channel": "log", "recipient": "me", "payload": None}
TRIED_HERE: dict[str, Any] = {"smtp_url": "smtp://127.0.0.1", "webhook_allow": LOOPBACK}


class Api:
    """One running edge: its port, its metrics, and its stores."""

    ring: KeyRing

    def __init__(
        self,
        port: int,
        registry: CollectorRegistry,
        store: EnqueueStore,
        reads: ReadStore,
        loop: Any,
    ) -> None:
        self.port = port
        self.store = store
        self.reads = reads
        self._registry = registry
        self._loop = loop

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> SimpleNamespace:
        """Make one request; returns `status`, `headers`, `body` (bytes), and `json` or None."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        is_json = response.headers.get_content_type().endswith(("/json", "+json")) and data
        return SimpleNamespace(
            status=response.status,
            headers=response.headers,
            body=data,
            json=json.loads(data) if is_json else None,
        )

    def get(self, path: str, **headers: str) -> SimpleNamespace:
        """GET."""
        return self.ask("GET", path, **headers)

    def post(
        self, body: Any, content_type: str = "application/json", *, to: str = "/notify",
        **headers: str,
    ) -> SimpleNamespace:  # fmt: skip
        """POST: bytes as they are, anything else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", to, data, **{"Content-Type": content_type}, **headers)

    def read_keys(self) -> None:
        """Read the keys as the edge does every two seconds; one that began before is not enough."""
        self.run(self._read_keys())

    async def _read_keys(self) -> None:
        asked_at = self.ring._now()
        while self.ring._confirmed_at < asked_at:
            await self.ring.read()

    def metric(self, name: str, **labels: str) -> float:
        """Read one of the edge's metrics."""
        return self._registry.get_sample_value(name, labels) or 0.0

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the edge's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(LIMIT_S)


@contextmanager
def serving(
    dsn: str,
    *,
    limits: Limits | None = None,
    clock: Clock | None = None,
    tracer: Any = None,
    inbox: Inbox | None = None,
    **settings: Any,
) -> Iterator[Api]:
    """Serve on a free port until the context ends; mail goes to the `inbox`, if there is one."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    stack = Stack(dsn, Settings(**(TRIED_HERE | settings)), limits, clock)
    stack.tracer = tracer
    stack.inbox = inbox
    try:
        yield asyncio.run_coroutine_threadsafe(stack.open(), loop).result(LIMIT_S)
    finally:
        asyncio.run_coroutine_threadsafe(stack.close(), loop).result(LIMIT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Stack:
    """What runs on the loop."""

    tracer: Any = None
    inbox: Inbox | None = None

    def __init__(
        self, dsn: str, settings: Settings, limits: Limits | None, clock: Clock | None
    ) -> None:
        self._dsn = dsn
        self._clock = clock
        self._limits = limits
        self._settings = settings

    async def open(self) -> Api:
        """Start everything."""
        registry = CollectorRegistry()
        inbox_url = None
        if self.inbox is not None:
            await self.inbox.start()
            inbox_url = f"http://127.0.0.1:{self.inbox.http_port}"
            self._settings = replace(self._settings, smtp_url=self.inbox.smtp_url)
        self._store = await EnqueueStore(self._dsn, "notify-api").__aenter__()
        reads = ReadStore(self._dsn, "notify-api", connections_max=READS_AT_ONCE)
        self._reads = await reads.__aenter__()
        metrics = ApiMetrics(registry)
        keys = KeyStore(self._store.pool.connection)
        self._ring = ring = KeyRing(keys, may_be_open=may_be_open(self._settings))
        with suppress(DatabaseAway):
            await ring.read()
        app = create_app(
            self._settings, self._store, self._reads, metrics,
            keys=keys, ring=ring, clock=self._clock, tracer=self.tracer,
            direct_url=self._settings.direct_url or self._dsn, inbox_url=inbox_url,
            pages=partial(add_console, inbox=self.inbox),
        )  # fmt: skip
        self._runner = create_runner(
            app, self._settings, metrics, shutdown_timeout_s=5, limits=self._limits
        )
        await self._runner.setup()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        await web.SockSite(self._runner, self._listener).start()
        port = self._runner.addresses[0][1]
        self._kept = asyncio.create_task(ring.kept())
        api = Api(port, registry, self._store, self._reads, asyncio.get_running_loop())
        api.ring = ring
        return api

    async def close(self) -> None:
        """Stop in order."""
        self._kept.cancel()
        await asyncio.gather(self._kept, return_exceptions=True)
        await accept_no_more([self._listener])
        await self._runner.cleanup()
        if self.inbox is not None:
            await self.inbox.stop()
        await self._ring.close()
        await self._reads.__aexit__(None, None, None)
        await self._store.__aexit__(None, None, None)
