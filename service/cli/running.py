"""Running until told to stop: signals, the event loop, and the metrics port."""

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable

from loguru import logger

from service import logs
from service.config import Settings, retired_settings
from service.errors import StartError

PORTS_TRIED_MAX = 100
START_MAX_S = 10.0
LOGS_OUT_S = 0.1  # the thread that writes them needs a moment
METRICS_CONNECTIONS_MAX = 16


def run_until_stopped(main: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    """Run `main(stop)`; SIGINT or SIGTERM sets `stop`, a second one ends the process at once."""
    if sys.platform == "win32":
        return asyncio.run(with_signals(main))
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(with_signals(main))


async def with_signals(main: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            logger.warning("stopped_at_once")
            time.sleep(LOGS_OUT_S)
            os._exit(130)
        logger.info("stopping")
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    await main(stop)
    return 0


def start_logs(role: str, settings: Settings) -> None:
    """Log as the settings say, and to Loki if they name one. It starts a thread: fork before."""
    from service.loki import Loki
    from service.metrics import LogMetrics

    metrics = LogMetrics()
    push = Loki(settings.loki_url, metrics) if settings.loki_url else None
    logs.set_up(role, level=settings.log_level, style=settings.log_style, push=push, by_thread=True)
    for line in retired_settings():
        logger.warning("setting_ignored", hint=line)


def listener(host: str, wanted: int) -> socket.socket:
    """Listen on the first free port from `wanted` on. Raises StartError after 100 of them."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in range(wanted, min(wanted + PORTS_TRIED_MAX, 65536)):
        try:
            return socket.create_server((host, port), family=family)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise StartError(f"HOST={host}: cannot listen there: {error.strerror}") from error
    raise StartError(f"METRICS_PORT={wanted}: it and the next {PORTS_TRIED_MAX} ports are taken")


def serve_metrics(settings: Settings) -> None:
    """Serve /metrics from a thread of its own, on the first free port from METRICS_PORT on."""
    sock = listener(settings.host, settings.metrics_port)
    port = sock.getsockname()[1]
    is_served = threading.Event()

    def serve() -> None:
        asyncio.run(metrics_served(settings, sock, is_served))

    threading.Thread(target=serve, name="metrics", daemon=True).start()
    if not is_served.wait(START_MAX_S):
        raise StartError(f"METRICS_PORT={port}: /metrics could not be served")
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    logger.info("metrics", url=f"http://{host}:{port}/metrics")


async def metrics_served(
    settings: Settings, sock: socket.socket, is_served: threading.Event
) -> None:
    """Serve /metrics as long as the process runs, to those who may call."""
    from aiohttp import web
    from prometheus_async.aio.web import server_stats

    from service.callers import Callers, protected
    from service.connections import BoundedRunner, Limits

    app = web.Application()
    app.router.add_get("/metrics", server_stats)
    callers = Callers(settings.host, settings.allowed_hosts)
    runner = BoundedRunner(
        app,
        limits=Limits(connections_max=METRICS_CONNECTIONS_MAX),
        around=lambda handler: protected(handler, callers.fault),
        access_log=None,
        logger=logging.Logger("metrics", level=logging.CRITICAL),  # what is not HTTP gets a 400
    )
    await runner.setup()
    await web.SockSite(runner, sock).start()
    is_served.set()
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
