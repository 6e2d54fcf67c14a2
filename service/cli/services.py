"""`notify services`: only the servers that `notify up` embeds."""

import argparse
from contextlib import ExitStack
from dataclasses import replace

from service.cli.own_servers import server_looks, with_servers
from service.cli.running import end_by_signals, run_until_stopped, signals_first
from service.cli.settings import settings_for
from service.logs import logs
from service.process.watched import until_stopped


def run(args: argparse.Namespace) -> int:
    """Run PostgreSQL and Valkey, say where they are, and wait."""
    settings = settings_for(args)
    logs.set_up("services", level=settings.log_level, style=settings.log_style)
    early_signals = end_by_signals()
    with ExitStack() as stack, signals_first(early_signals):
        bare = replace(settings, database_url=None, redis_url=None)
        bare, servers = with_servers(bare, stack)
        logs.set_up(
            "services", level=settings.log_level, style=settings.log_style, by_thread=True
        )  # not before: it starts a thread, and the servers are forked above
        print(f"DATABASE_URL={bare.database_url}\nREDIS_URL={bare.redis_url}", flush=True)
        return run_until_stopped(
            lambda stop: until_stopped(stop, *server_looks(servers)), early_signals
        )
