"""For trying things out: `notify send`, `notify status`, `notify inbox`."""

import argparse
import asyncio
import json
import sys
from datetime import UTC, datetime
from math import ceil
from typing import Any

from service import logs
from service.cli.running import run_until_stopped
from service.cli.settings import settings_for
from service.errors import ConfigError
from service.printable import printable_json

FIELDS = ("priority", "send_at", "expires_at", "max_attempts", "reference")


def send(args: argparse.Namespace) -> int:
    """Enqueue one notification and print the answer."""
    from service import client

    body = {"channel": args.channel, "recipient": args.recipient, "payload": payload(args)}
    body |= {name: getattr(args, name) for name in FIELDS if getattr(args, name) is not None}
    show(client.send(base_url(args), body))
    return 0


def status(args: argparse.Namespace) -> int:
    """Print one notification with every attempt; beside it, when it is tried next."""
    from service import client

    found = client.status(base_url(args), args.id)
    show(found)
    if found["status"] == "queued":
        print(next_try(found["due_at"], datetime.now(UTC)), file=sys.stderr)
    return 0


def next_try(due_at: str, now: datetime) -> str:
    """Say for people when a queued notification is tried next. Infinity is no date."""
    try:
        wait_s = ceil((datetime.fromisoformat(due_at) - now).total_seconds())
    except ValueError:
        return f"next try at {due_at}"
    return f"next try at {due_at} (in {wait_s} s)" if wait_s > 0 else "next try now"


def inbox(args: argparse.Namespace) -> int:
    """Catch webhooks and mails until stopped."""
    from service.inbox import Inbox

    settings = settings_for(args)
    logs.set_up("inbox", level=settings.log_level, style=settings.log_style)
    catcher = Inbox(
        host="127.0.0.1",
        http_port=args.http_port,
        smtp_port=args.smtp_port,
        secrets=settings.webhook_secret,
        verbose=args.verbose,
        out=sys.stdout,
    )

    async def main(stop: asyncio.Event) -> None:
        await catcher.start()
        http, smtp = catcher.http_port, catcher.smtp_port
        print(f"catching http://127.0.0.1:{http}/ and smtp://127.0.0.1:{smtp}", flush=True)
        await stop.wait()
        await catcher.stop()

    return run_until_stopped(main)


def payload(args: argparse.Namespace) -> Any:
    """Give the payload: the JSON argument, or a mail's options put together. Raises ConfigError."""
    parts = {name: getattr(args, name) for name in ("subject", "text", "html")}
    mail = {name: text for name, text in parts.items() if text is not None}
    if args.payload is None:
        return mail
    if mail:
        raise ConfigError("give either JSON or --subject, --text and --html")
    text = sys.stdin.read() if args.payload == "-" else args.payload
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigError(f"the payload is not JSON: {error}") from None


def base_url(args: argparse.Namespace) -> str:
    """Give the API's address: --url, or where PORT says."""
    return args.url or f"http://127.0.0.1:{settings_for(args).port}"


def show(document: dict[str, Any]) -> None:
    """Print a document for people and for jq."""
    print(printable_json(document))
