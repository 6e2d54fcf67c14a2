"""A receiver of OpenTelemetry's spans over HTTP, as a test wants it. Needs the extra `otel`."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

LIMIT_S = 60.0
TAKE, REFUSE, HANG, ENDLESS, REDIRECT, LATER = (
    "take",
    "refuse",
    "hang",
    "endless",
    "redirect",
    "later",
)
PART = b"x" * 65536


class Collector:
    """`url` is its address; `spans` what it took, by when they ended; `answer` how it answers."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.raw = b""
        self.services: set[str] = set()
        self.requests = 0
        self.connections: set[tuple[str, int]] = set()
        self.answer = TAKE
        self.url = ""
        self.sent = 0  # bytes of endless answers
        self.released: asyncio.Event

    async def take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()  # aiohttp unpacks it
        self.requests += 1
        self.connections.add(request.transport.get_extra_info("peername"))
        if self.answer == HANG:
            await self.released.wait()
        elif self.answer == ENDLESS:
            return await self.go_on(request)
        elif self.answer == REFUSE:
            return web.Response(status=400, text="no")
        elif self.answer == REDIRECT:
            return web.Response(status=307, headers={"Location": f"{self.url}/elsewhere"})
        elif self.answer == LATER:
            return web.Response(status=503, headers={"Retry-After": "1e9"})
        self.keep(body)
        return web.Response(content_type="application/x-protobuf")

    async def go_on(self, request: web.Request) -> web.StreamResponse:
        """Answer without an end."""
        response = web.StreamResponse()
        await response.prepare(request)
        while not self.released.is_set():
            await response.write(PART)
            self.sent += len(PART)
        return response

    def keep(self, body: bytes) -> None:
        self.raw += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {item.key: item.value.string_value for item in resource.resource.attributes}
            self.services.add(named["service.name"])
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)

    def named(self, name: str) -> list[Any]:
        """Give the spans of a name, in the order in which they began."""
        return sorted(
            (span for span in self.spans if span.name == name),
            key=lambda span: span.start_time_unix_nano,
        )


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector on loopback."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    collector = Collector()

    async def open_() -> web.AppRunner:
        collector.released = asyncio.Event()
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/traces", collector.take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    async def close(runner: web.AppRunner) -> None:
        collector.released.set()
        await runner.cleanup()

    runner = asyncio.run_coroutine_threadsafe(open_(), loop).result(LIMIT_S)
    try:
        yield collector
    finally:
        asyncio.run_coroutine_threadsafe(close(runner), loop).result(LIMIT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def attributes(span: Any) -> dict[str, Any]:
    """Read a span's attributes."""
    return {
        item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes
    }
