"""The metrics port of a role that is a process of its own."""

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Awaitable, Callable

from loguru import logger

from service.config.settings import Settings
from service.errors import StartError
from service.process.watched import Restarted, watched

PORTS_TRIED_MAX = 100
START_MAX_S = 10.0
METRICS_CONNECTIONS_MAX = 16
TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"

Page = Callable[[], Awaitable[str]]


def listener(host: str, wanted: int) -> socket.socket:
    """Listen on the first free port from `wanted` on. Raises StartError after 100 of them."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in range(wanted, min(wanted + PORTS_TRIED_MAX, 65536)):
        try:
            return socket.create_server((host, port), family=family)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise StartError(f"HOST={host}: cannot listen there: {error.strerror}") from error
    raise StartError(
        f"METRICS_PORT={wanted}: it and the next {PORTS_TRIED_MAX} ports are taken, or below 1024"
    )


def serve_metrics(settings: Settings, restarted: Restarted) -> None:
    """Serve /metrics from a thread of its own, on the first free port from METRICS_PORT on."""
    sock = listener(settings.host, settings.metrics_port)
    port = sock.getsockname()[1]
    is_served = threading.Event()

    async def serve() -> None:  # the server closes its socket; ours keeps the port for a restart
        await metrics_served(settings, sock.dup(), is_served)

    def run() -> None:
        asyncio.run(watched("metrics", serve, restarted))

    threading.Thread(target=run, name="metrics", daemon=True).start()
    if not is_served.wait(START_MAX_S):
        raise StartError(f"METRICS_PORT={port}: /metrics could not be served")
    announce(settings.host, port)


def announce(host: str, port: int) -> None:
    """Log where the metrics are."""
    shown = f"[{host}]" if ":" in host else host
    logger.info("metrics", url=f"http://{shown}:{port}/metrics")


async def metrics_served(
    settings: Settings,
    sock: socket.socket,
    is_served: threading.Event | None = None,
    page: Page | None = None,
) -> None:
    """Serve /metrics to those who may call, for as long as the process runs.

    `page`: writes what is shown; None: this process's own.
    """
    from aiohttp import web

    from service.http.callers import Callers, protected
    from service.http.connections import Limits
    from service.http.metrics_page import MetricsPage
    from service.http.runner import BoundedRunner

    async def written(_: web.Request) -> web.Response:
        assert page is not None
        return web.Response(body=(await page()).encode(), headers={"Content-Type": TEXT_FORMAT})

    app = web.Application()
    shown = MetricsPage() if page is None else MetricsPage(written)
    app.router.add_get("/metrics", shown.show)
    callers = Callers(settings.host, settings.allowed_hosts)
    runner = BoundedRunner(
        app,
        limits=Limits(connections_max=METRICS_CONNECTIONS_MAX),
        around=lambda handler: protected(handler, callers.fault),
        access_log=None,
        logger=logging.Logger(
            "metrics", level=logging.CRITICAL
        ),  # no traceback of what is not HTTP
    )
    await runner.setup()
    await web.SockSite(runner, sock).start()
    if is_served is not None:
        is_served.set()
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
