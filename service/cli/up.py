"""`notify up`: everything in one process. `notify services`: only the servers it embeds."""

import argparse
import asyncio
import os
import sys
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TextIO, cast

from loguru import logger

from service.api.serve import serving
from service.cli.running import end_by_signals, run_until_stopped, start_logs
from service.cli.settings import settings_for
from service.cli.working import working
from service.config.postgres_url import place
from service.config.settings import Settings
from service.dispatch.dispatcher import dispatching
from service.embedded.running import written_down
from service.embedded.servers import EmbeddedServers
from service.embedded.state import default_state
from service.errors import StartError
from service.inbox.inbox import Inbox
from service.ledger.migrate import migrate
from service.logs import logs
from service.metrics import ProcessMetrics
from service.process.ports import refuse_taken, refuse_twice
from service.process.stdio import Printer
from service.process.watched import Look, until_stopped
from service.text.printable import printable

BANNER = """
notify is up.  Ctrl-C stops it.

  API     {api}
  Docs    {api}/docs"""
OWN_DATABASE = """
  SQL     psql '{database_url}'"""
OWN_INBOX = """
  Inbox   http://127.0.0.1:{http}/ and smtp://127.0.0.1:{smtp}: what arrives is printed here"""
TRY_IT = """

Try it, in another terminal:

  curl -s {api}/notify -H 'content-type: application/json' -d '{body}'
"""
BODY = '{{"channel": "{}", "recipient": "{}", "payload": {{"n": 1}}}}'


def run(args: argparse.Namespace) -> int:
    """Start what is not given, migrate, and run API, dispatcher, worker and inbox until stopped."""
    settings = settings_for(args)
    logs.set_up("up", level=settings.log_level, style=settings.log_style)
    came = end_by_signals()
    refuse_ports(args, settings)
    with ExitStack() as stack:
        is_own = settings.database_url is None
        if not is_own:
            print(whose_database(settings), file=sys.stderr, flush=True)
        settings, servers = with_servers(settings, stack)
        start_logs("up", settings)
        inbox = None
        if servers is not None and not args.no_inbox:
            inbox = Inbox(
                host="127.0.0.1",
                http_port=args.inbox_http_port,
                smtp_port=args.inbox_smtp_port,
                secrets=settings.webhook_secret,
                verbose=args.verbose,
                out=cast(TextIO, Printer()),
            )
        migrate(settings.direct_url or "", say=lambda line: logger.warning("schema", found=line))
        return run_until_stopped(
            lambda stop: everything(settings, servers, inbox, stop, is_own), came
        )


def refuse_ports(args: argparse.Namespace, settings: Settings) -> None:
    """See that we can listen, before a server is started or a database migrated.

    Raises StartError. A port of the inbox that is taken is told later: we go on without it.
    """
    given = {"PORT": settings.port}
    if not args.no_inbox:
        given |= {
            "--inbox-http-port": args.inbox_http_port,
            "--inbox-smtp-port": args.inbox_smtp_port,
        }
    refuse_twice(given)
    refuse_taken(settings.host, settings.port, "PORT")


def whose_database(settings: Settings) -> str:
    """Say which database will be used and migrated, and what named it; without the password."""
    assert settings.database_url is not None
    is_of_environment = os.environ.get("DATABASE_URL", "").strip()
    named_by = "the environment" if is_of_environment else str(Path(".env").absolute())
    return printable(
        f"notify: using and migrating {place(settings.direct_url or '')}, the DATABASE_URL of"
        f" {named_by}; `DATABASE_URL=` there, and notify up brings its own"
    )


def services(args: argparse.Namespace) -> int:
    """Run PostgreSQL and Valkey, say where they are, and wait."""
    settings = settings_for(args)
    logs.set_up("services", level=settings.log_level, style=settings.log_style)
    came = end_by_signals()
    with ExitStack() as stack:
        bare = replace(settings, database_url=None, redis_url=None)
        bare, servers = with_servers(bare, stack)
        logs.set_up(
            "services", level=settings.log_level, style=settings.log_style, by_thread=True
        )  # now: it starts a thread, and nothing forks any more
        print(f"DATABASE_URL={bare.database_url}\nREDIS_URL={bare.redis_url}", flush=True)
        return run_until_stopped(lambda stop: until_stopped(stop, *server_looks(servers)), came)


def with_servers(settings: Settings, stack: ExitStack) -> tuple[Settings, EmbeddedServers | None]:
    """Start the servers that no URL names; the stack stops them. None: both are given."""
    if settings.database_url and settings.redis_url:
        return settings, None
    directory = Path(settings.notify_state) if settings.notify_state else default_state()
    servers = EmbeddedServers(
        directory, postgres=settings.database_url is None, valkey=settings.redis_url is None
    )
    stack.callback(servers.stop)
    urls = servers.start()
    return replace(
        settings,
        database_url=settings.database_url or urls.database_url,
        redis_url=settings.redis_url or urls.redis_url,
        webhook_secret=settings.webhook_secret or (servers.state.webhook_secret,),
    ), servers


async def everything(
    settings: Settings,
    servers: EmbeddedServers | None,
    inbox: Inbox | None,
    stop: asyncio.Event,
    is_own_database: bool,
) -> None:
    """Start the roles in the order of the road backwards, so that they stop in its order."""
    process = ProcessMetrics()
    async with AsyncExitStack() as roles:
        if inbox is not None and await started(inbox, roles):
            mail_to = None if settings.smtp_url else mailbox(inbox)
            settings = with_mail_to(inbox, settings)
        else:
            inbox = mail_to = None
        dispatcher_ended = await roles.enter_async_context(dispatching(settings, process))
        worker_ended = await roles.enter_async_context(working(settings))
        inbox_url = f"http://127.0.0.1:{inbox.http_port}" if inbox else None
        api, api_ended = await roles.enter_async_context(
            serving(settings, process, inbox_url=inbox_url)
        )
        if servers is not None:
            roles.enter_context(written_down(servers.state.directory, api, mail_to))
        own = settings.database_url if is_own_database else None
        print(banner(api, own, inbox), file=cast(TextIO, Printer()), flush=True)
        looks = (dispatcher_ended, worker_ended, api_ended, *server_looks(servers))
        await until_stopped(stop, *looks)


def banner(api: str, database_url: str | None, inbox: Inbox | None) -> str:
    """Say where everything is. `database_url` None: it is the user's own, and holds a password."""
    lines = BANNER.format(api=api)
    body = BODY.format("log", "hello")
    if database_url:
        lines += OWN_DATABASE.format(database_url=database_url)
    if inbox:
        lines += OWN_INBOX.format(http=inbox.http_port, smtp=inbox.smtp_port)
        body = BODY.format("webhook", f"http://127.0.0.1:{inbox.http_port}/hello")
    return lines + TRY_IT.format(api=api, body=body)


async def started(inbox: Inbox, roles: AsyncExitStack) -> bool:
    """Start the inbox; without its ports we go on without it."""
    try:
        await inbox.start()
    except StartError as error:
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
        smtp_url=mailbox(inbox),
        mail_from=settings.mail_from or "notify@localhost",
    )


def mailbox(inbox: Inbox) -> str:
    """Write the SMTP_URL of an inbox."""
    return f"smtp://{inbox.host}:{inbox.smtp_port}"


def server_looks(servers: EmbeddedServers | None) -> tuple[Look, ...]:
    """Watch the embedded servers: PostgreSQL's end is ours; without Valkey we are slower."""
    if servers is None:
        return ()
    told = False

    def redis_missed() -> None:
        nonlocal told
        if not told and (reason := servers.redis_dead()):
            logger.error("slower_without_redis", reason=reason, hint="start it again")
            told = True

    return servers.database_dead, redis_missed
