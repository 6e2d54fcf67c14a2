"""The roles as processes of their own: `notify migrate`, `api`, `dispatcher`, `worker`."""

import argparse
import asyncio

from service.cli.output import say, show
from service.cli.running import run_until_stopped, serve_metrics, start_logs
from service.cli.settings import required, settings_for
from service.config import Settings


def migrate(args: argparse.Namespace) -> int:
    """Bring DATABASE_URL to the current schema; prints what was applied."""
    from service.migrate import migrate as apply

    settings = prepared(args, "migrate", "database_url")
    applied = apply(settings.direct_url or "")
    if args.json:
        show({"applied": applied})
    else:
        say([f"applied {name}" for name in applied] or ["nothing to apply"])
    return 0


def api(args: argparse.Namespace) -> int:
    """Serve HTTP until stopped."""
    from service.api.serve import serving
    from service.metrics import ProcessMetrics

    settings = prepared(args, "api", "database_url")

    async def main(stop: asyncio.Event) -> None:
        async with serving(settings, ProcessMetrics()):
            await stop.wait()

    return run_until_stopped(main)


def dispatcher(args: argparse.Namespace) -> int:
    """Dispatch until stopped."""
    from service.dispatcher import dispatching
    from service.metrics import ProcessMetrics

    settings = prepared(args, "dispatcher", "database_url", "redis_url")
    process = ProcessMetrics()
    serve_metrics(settings)

    async def main(stop: asyncio.Event) -> None:
        async with dispatching(settings, process):
            await stop.wait()

    return run_until_stopped(main)


def worker(args: argparse.Namespace) -> int:
    """Work until stopped."""
    from service.cli.working import working
    from service.metrics import ProcessMetrics

    settings = prepared(args, "worker", "database_url")
    ProcessMetrics()
    serve_metrics(settings)

    async def main(stop: asyncio.Event) -> None:
        async with working(settings):
            await stop.wait()

    return run_until_stopped(main)


def prepared(args: argparse.Namespace, role: str, *names: str) -> Settings:
    """Read the settings, refuse what is missing, and set the logs up."""
    settings = settings_for(args)
    required(settings, *names)
    start_logs(role, settings)
    return settings
