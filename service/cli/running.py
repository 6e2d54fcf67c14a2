"""Running until told to stop: signals, the event loop, and the metrics port."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable

from loguru import logger

from service import logs
from service.config import Settings, retired_settings
from service.errors import StartError

PORTS_TRIED_MAX = 100


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
    logs.set_up(role, level=settings.log_level, style=settings.log_style, push=push)
    for line in retired_settings():
        logger.warning("setting_ignored", hint=line)


def free_port(host: str, wanted: int) -> int:
    """Find the first free port from `wanted` on. Raises StartError after 100 of them."""
    for port in range(wanted, min(wanted + PORTS_TRIED_MAX, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise StartError(f"METRICS_PORT={wanted}: it and the next {PORTS_TRIED_MAX} ports are taken")


def serve_metrics(host: str, wanted_port: int) -> None:
    """Serve /metrics from a thread of its own, on the first free port from `wanted_port` on."""
    from prometheus_async.aio.web import start_http_server_in_thread

    # The port is tried first: with a taken one the library's call would never return.
    port = free_port(host, wanted_port)
    start_http_server_in_thread(port=port, addr=host)
    logger.info("metrics", url=f"http://{host}:{port}/metrics")
