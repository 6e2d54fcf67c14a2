"""`notify inbox`: catch webhooks and mails, for trying things out."""

import argparse
import asyncio
from typing import TextIO, cast

from service.cli.running import run_until_stopped
from service.cli.settings import settings_for
from service.logs import logs
from service.process.ports import refuse_twice
from service.process.stdio import Printer


def run(args: argparse.Namespace) -> int:
    """Catch webhooks and mails until stopped."""
    from service.inbox.inbox import Inbox

    settings = settings_for(args)
    refuse_twice({"--http-port": args.http_port, "--smtp-port": args.smtp_port})
    logs.set_up("inbox", level=settings.log_level, style=settings.log_style, by_thread=True)
    out = cast(TextIO, Printer())
    catcher = Inbox(
        host="127.0.0.1",
        http_port=args.http_port,
        smtp_port=args.smtp_port,
        secrets=settings.webhook_secret,
        verbose=args.verbose,
        out=out,
    )

    async def main(stop: asyncio.Event) -> None:
        await catcher.start()
        http, smtp = catcher.http_port, catcher.smtp_port
        place = f"http://127.0.0.1:{http}/ and smtp://127.0.0.1:{smtp}"
        print(f"catching {place}", file=out, flush=True)
        await stop.wait()
        await catcher.stop()

    return run_until_stopped(main)
