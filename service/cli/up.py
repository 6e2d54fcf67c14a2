"""`notify up`: everything in one process."""

import argparse
import asyncio
import os
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from loguru import logger

from service.api.serve import serving
from service.cli.banner import banner
from service.cli.own_servers import server_looks, with_servers
from service.cli.role_logs import start_logs
from service.cli.running import end_by_signals, run_until_stopped, signals_first
from service.cli.sandbox import for_its_worker, for_sandbox, refuse_others
from service.cli.settings import settings_for, with_loopback
from service.cli.working import working
from service.config.postgres_url import place
from service.config.settings import Settings
from service.console.console import add_console
from service.dispatch.dispatcher import dispatching
from service.embedded.running import written_down
from service.embedded.servers import EmbeddedServers
from service.errors import StartError
from service.inbox.inbox import Inbox
from service.ledger.inbox_store import InboxStore
from service.ledger.migrate import migrate
from service.ledger.sandbox_home import refuse_others_ledger
from service.logs import logs
from service.metrics import ProcessMetrics
from service.process.ports import refuse_taken, refuse_twice
from service.process.stdio import Printer, print_error
from service.process.watched import until_stopped
from service.text.printable import printable
from service.tracing.start import tracing

if TYPE_CHECKING:
    from service.tracing.tracer import Tracer

DIRECT_IS_NOT_USED = (
    "notify: DATABASE_DIRECT_URL is not used, as there is no DATABASE_URL that it belongs to:"
    " notify up brings its own database"
)


def run(args: argparse.Namespace) -> int:
    """Start the servers that no URL names, migrate, and run every role until stopped."""
    settings = settings_for(args)
    if args.sandbox:
        refuse_others(args, settings)
        settings = for_sandbox(settings)
    logs.set_up("up", level=settings.log_level, style=settings.log_style)
    early_signals = end_by_signals()
    refuse_ports(args, settings)
    with ExitStack() as stack, signals_first(early_signals):
        is_own = settings.database_url is None
        if not is_own:
            print_error(whose_database(settings))
        elif settings.database_direct_url:
            print_error(DIRECT_IS_NOT_USED)
        settings, servers = with_servers(settings, stack)
        if args.sandbox:
            refuse_others_ledger(settings.direct_url or "")
        elif is_own:
            settings = with_loopback(settings)
        start_logs("up", settings)
        store = InboxStore(settings.database_url or "", "notify-inbox", connections_max=1)
        is_wanted = args.sandbox or (servers is not None and not args.no_inbox)
        inbox = inbox_of(args, settings, store) if is_wanted else None
        migrate(
            settings.direct_url or "",
            settings=settings,
            say=lambda line: logger.warning("schema", found=line),
        )
        tracer = stack.enter_context(tracing())
        return run_until_stopped(
            lambda stop: everything(
                settings, servers, inbox, stop, is_own,
                store=store, is_sandbox=args.sandbox, tracer=tracer,
            ),
            early_signals,
        )  # fmt: skip


def inbox_of(args: argparse.Namespace, settings: Settings, store: InboxStore) -> Inbox:
    """Make the inbox, which asks the ledger what it is that arrived."""
    return Inbox(
        host="127.0.0.1",
        http_port=args.inbox_http_port,
        smtp_port=args.inbox_smtp_port,
        secrets=settings.webhook_secret,
        verbose=args.verbose,
        out=cast(TextIO, Printer()),
        look_up=store.known,
    )


def refuse_ports(args: argparse.Namespace, settings: Settings) -> None:
    """Check that we can listen, before a server is started or a database migrated.

    Raises StartError. If a port of the inbox is taken, a warning comes later: we go on without it.
    """
    ports = {"PORT": settings.port}
    if not args.no_inbox:
        ports |= {
            "--inbox-http-port": args.inbox_http_port,
            "--inbox-smtp-port": args.inbox_smtp_port,
        }
    refuse_twice(ports)
    refuse_taken(settings.host, settings.port, "PORT")


def whose_database(settings: Settings) -> str:
    """Say which database will be used and migrated, and what named it; without the password."""
    name = "DATABASE_DIRECT_URL" if settings.database_direct_url else "DATABASE_URL"
    return printable(
        f"notify: using and migrating {place(settings.direct_url or '')}, the {name} of"
        f" {source_of(name)}; `DATABASE_URL=` in {source_of('DATABASE_URL')}, and notify up brings"
        " its own"
    )


def source_of(name: str) -> str:
    """Say where a setting comes from that is set."""
    is_of_environment = os.environ.get(name, "").strip()
    return "the environment" if is_of_environment else str(Path(".env").absolute())


async def everything(
    settings: Settings,
    servers: EmbeddedServers | None,
    inbox: Inbox | None,
    stop: asyncio.Event,
    is_own_database: bool,
    *,
    store: InboxStore | None = None,
    is_sandbox: bool = False,
    tracer: "Tracer | None" = None,
) -> None:
    """Start the API last: the roles stop in the opposite order, so that it stops first.

    `store`: what the inbox asks.
    """
    process = ProcessMetrics()
    async with AsyncExitStack() as roles:
        if inbox is not None and await started(inbox, roles, is_needed=is_sandbox):
            if store is not None:
                await roles.enter_async_context(store)
            mail_to = None if settings.smtp_url else inbox.smtp_url
            settings = with_mail_to(inbox, settings)
        else:
            inbox = mail_to = None
        dispatcher_ended = await roles.enter_async_context(dispatching(settings, process))
        inbox_url = f"http://127.0.0.1:{inbox.http_port}" if inbox else None
        if is_sandbox:
            assert inbox is not None  # it was needed: a sandbox must never send elsewhere
            work = working(for_its_worker(settings, inbox.http_port), tracer, sandbox=inbox_url)
        else:
            work = working(settings, tracer)
        worker_ended = await roles.enter_async_context(work)
        if inbox_url and settings.guard.refuses(inbox_url):
            inbox_url = None  # the examples in /docs must work
        api, api_ended = await roles.enter_async_context(
            serving(
                settings,
                process,
                inbox_url=inbox_url,
                is_sandbox=is_sandbox,
                tracer=tracer,
                pages=partial(add_console, inbox=inbox),
            )
        )
        if servers is not None:
            roles.enter_context(
                written_down(servers.state.directory, api, mail_to, is_sandbox=is_sandbox)
            )
        own = settings.database_url if is_own_database else None
        said = banner(api, own, inbox, settings.guard, is_sandbox=is_sandbox)
        print(said, file=cast(TextIO, Printer()), flush=True)
        looks = (dispatcher_ended, worker_ended, api_ended, *server_looks(servers))
        await until_stopped(stop, *looks)


async def started(inbox: Inbox, roles: AsyncExitStack, *, is_needed: bool) -> bool:
    """Start the inbox, and return whether it runs; if its ports are taken, we go on without it.

    Raises StartError if it is needed.
    """
    try:
        await inbox.start()
    except StartError as error:
        if is_needed:
            raise
        logger.warning("no_inbox", reason=str(error))
        return False
    roles.push_async_callback(inbox.stop)
    return True


def with_mail_to(inbox: Inbox, settings: Settings) -> Settings:
    """Send mail to the inbox, unless SMTP_URL says otherwise."""
    if settings.smtp_url:
        return settings
    return replace(
        settings,
        smtp_url=inbox.smtp_url,
        mail_from=settings.mail_from or "notify@localhost",
    )
