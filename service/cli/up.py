"""`notify up`: everything in one process; `notify services`: only the servers it embeds."""

import argparse
import asyncio
import signal
import sys
import threading
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from pathlib import Path

from loguru import logger

from service import logs
from service.cli.running import run_until_stopped
from service.cli.settings import settings_for
from service.config import Settings

TRY_IT = """
Try it, in another terminal:

  curl -s {api}/notify -H 'content-type: application/json' \\
    -d '{{"channel": "webhook", "recipient": "{hook}", "payload": {{"hello": "world"}}}}'
"""


def run(args: argparse.Namespace) -> int:
    """Start the servers that are not given, migrate, and run API, dispatcher and workers until stopped."""
    settings = settings_for(args)
    logs.set_up("up", level=settings.log_level, style=settings.log_style)
    with ExitStack() as servers:
        settings = with_servers(settings, servers)
        from service.migrate import migrate

        migrate(settings.direct_url or "")
        return run_until_stopped(lambda stop: everything(settings, not args.no_inbox, stop))


def with_servers(settings: Settings, stack: ExitStack) -> Settings:
    """Start what DATABASE_URL and REDIS_URL do not name; their children stop when the stack unwinds."""
    if settings.database_url and settings.redis_url:
        return settings
    # From the main thread, before any other: the children die with the thread that made them.
    from service.embedded.servers import EmbeddedServers
    from service.embedded.state import State

    state = stack.enter_context(State(Path(settings.notify_state) if settings.notify_state else None))
    return settings
