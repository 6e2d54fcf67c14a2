"""The roles as processes of their own: `notify migrate`, `api`, `dispatcher`, `worker`."""

import argparse
import asyncio

from loguru import logger

from service.cli.metrics_port import serve_metrics
from service.cli.output import say, show
from service.cli.role_logs import start_logs
from service.cli.running import end_by_signals, run_until_stopped
from service.cli.settings import required, settings_for
from service.config.settings import Settings
from service.logs.outage import Outage
from service.process.ports import refuse_taken
from service.process.watched import until_stopped
from service.tracing.start import tracing


def migrate(args: argparse.Namespace) -> int:
    """Bring DATABASE_URL to the current schema, or wait for that; prints what was applied."""
    from service.ledger.migrate import migrate as apply
    from service.ledger.migrate import migrated_by_others

    settings = prepared(args, "migrate", "database_url")
    messages: list[str] = []
    applied: list[str] = []
    if args.wait:
        end_by_signals()
        asyncio.run(migrated_by_others(settings.database_url or "", waits))
    else:
        applied = apply(settings.direct_url or "", settings=settings, say=messages.append)
    if args.json:
        show({"applied": applied, "found": messages})
    else:
        say([*messages, *(f"applied {name}" for name in applied)] or ["nothing to apply"])
    return 0


def waits(reason: str) -> None:
    """Log what is waited for."""
    logger.warning("waits_for_schema", reason=reason)


def api(args: argparse.Namespace) -> int:
    """Serve HTTP until stopped."""
    from service.api.serve import serving
    from service.console.console import add_console
    from service.metrics import ProcessMetrics

    settings = prepared(args, "api", "database_url")
    refuse_taken(settings.host, settings.port, "PORT")

    async def main(stop: asyncio.Event) -> None:
        async with serving(settings, ProcessMetrics(), tracer=tracer, pages=add_console) as (
            _,
            api_ended,
        ):
            await until_stopped(stop, api_ended)

    with tracing() as tracer:
        return run_until_stopped(main)


def dispatcher(args: argparse.Namespace) -> int:
    """Dispatch until stopped."""
    from service.dispatch.dispatcher import dispatching
    from service.metrics import ProcessMetrics

    settings = prepared(args, "dispatcher", "database_url", "redis_url")
    process = ProcessMetrics()
    serve_metrics(settings, process.restarted)

    async def main(stop: asyncio.Event) -> None:
        async with dispatching(settings, process) as dispatcher_ended:
            await until_stopped(stop, dispatcher_ended)

    return run_until_stopped(main)


def worker(args: argparse.Namespace) -> int:
    """Work until stopped: in this process, or as the parent of several."""
    from service.cli.worker_processes import processes_wanted, run_processes
    from service.metrics import ProcessMetrics

    settings = prepared(args, "worker", "database_url")
    process = ProcessMetrics()
    if (wanted := processes_wanted(settings)) > 1:
        return run_processes(settings, wanted, process)
    from service.cli.working import working

    serve_metrics(settings, process.restarted)

    async def main(stop: asyncio.Event) -> None:
        async with working(settings, tracer) as worker_ended:
            await until_stopped(stop, worker_ended)

    with tracing() as tracer:
        return run_until_stopped(main)


def prepared(args: argparse.Namespace, role: str, *names: str) -> Settings:
    """Read the settings, refuse missing ones and unfit poolers, and set the logs up."""
    from service.ledger.poolers import refuse_unfit

    settings = settings_for(args)
    required(settings, *names)
    away = None if role == "migrate" else asyncio.run(refuse_unfit(settings))
    start_logs(role, settings)
    if away and role == "api":  # the others connect at once, and log it themselves
        Outage("postgresql", role=role).away(away)
    return settings
