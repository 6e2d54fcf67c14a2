"""The commands that send, and ask what became of it: send, status, explain, list, destinations."""

import argparse
from typing import Any

from service.channels.words import CHANNELS, EITHER, recipients_in_help
from service.cli.arguments import add_form, add_json, add_url, command
from service.cli.values import integer, seconds, whole
from service.model.words import Status

STATUSES = [status.value for status in Status]


def add_send(commands: Any) -> None:
    """Describe `notify send`."""
    send = command(commands, "send", "service.cli.sending", "enqueue one notification",
        "POST /notify for people and scripts. With --wait the exit code says how it ended: 0 sent, "
        "3 failed, 4 expired, 5 cancelled, 6 not yet.")  # fmt: skip
    send.add_argument("channel", choices=CHANNELS, metavar="CHANNEL", help=EITHER)
    send.add_argument("recipient", metavar="RECIPIENT", help=recipients_in_help())
    send.add_argument(
        "payload", nargs="?", metavar="JSON", help="the payload; '-' reads stdin, @FILE a file"
    )
    mail = [
        send.add_argument("--subject", help="email: the subject"),
        send.add_argument("--text", help="email: the text"),
        send.add_argument("--html", help="email: the HTML part"),
    ]
    fields = [
        send.add_argument(
            "--priority", type=integer, metavar="N", help="0 urgent … 3 bulk; default 2"
        ),
        send.add_argument("--send-at", metavar="TIME", help="not before (RFC 3339)"),
        send.add_argument("--expires-at", metavar="TIME", help="not after (RFC 3339)"),
        send.add_argument(
            "--max-attempts", type=integer, metavar="N", help="default: MAX_RETRIES + 1"
        ),
        send.add_argument("--reference", help="your own name for it, to find it again"),
        send.add_argument(
            "--idempotency-key", metavar="KEY", help="send again with the same: it counts once"
        ),
    ]
    send.set_defaults(mail=of_same_name(mail), fields=of_same_name(fields))
    add_wait(send)
    add_url(send)
    add_form(send)


def add_wait(command: argparse.ArgumentParser) -> None:
    """Describe how a command waits for the end."""
    command.add_argument("--wait", action="store_true", help="until it has ended; prints its story")
    command.add_argument(
        "--timeout", type=seconds, metavar="S", help="seconds that --wait takes at most; default 60"
    )


def of_same_name(options: list[argparse.Action]) -> dict[str, str]:
    """Say that each of these options is a field of the request (see service.cli.options)."""
    return {option.dest: option.dest for option in options}


def add_status(commands: Any) -> None:
    """Describe `notify status`."""
    status = command(commands, "status", "service.cli.status", "show what became of one",
        "Print it with every attempt; on standard error, when it is tried next. With --wait the "
        "exit code says how it ended, as that of `notify send` does.")  # fmt: skip
    status.add_argument("id", metavar="ID", help="as POST /notify or `notify send` gave it")
    add_wait(status)
    add_url(status)
    add_form(status)


def add_explain(commands: Any) -> None:
    """Describe `notify explain`."""
    explain = command(commands, "explain", "service.cli.reading", "say why one is where it is",
        "In plain sentences, the most important first, each with the command that would help.",
        function="explain")  # fmt: skip
    explain.add_argument("id", metavar="ID", help="as POST /notify or `notify send` gave it")
    add_url(explain)
    add_form(explain)


def add_list(commands: Any) -> None:
    """Describe `notify list`."""
    page = command(commands, "list", "service.cli.reading", "list notifications, newest first",
        "Those that match every option given. The last line says how to go on. Where a value "
        "is found rarely, the API looks at some 20,000 at a time: that may take a "
        "while.", function="page")  # fmt: skip
    page.add_argument("--status", choices=STATUSES, metavar="STATUS", help=", ".join(STATUSES))
    page.add_argument("--channel", choices=CHANNELS, metavar="CHANNEL", help=", ".join(CHANNELS))
    page.add_argument("--reference", help="as it was given when they were enqueued")
    page.add_argument("--recipient", help="to whom, as it was given")
    page.add_argument(
        "--destination", metavar="ORIGIN", help="such as https://example.org, or a mail domain"
    )
    page.add_argument("--code", help="the last error's code, such as 503 or lease_expired")
    page.add_argument("--worker", help="who sends it, or sent it: host:pid, or how that begins")
    page.add_argument("--producer", help="who enqueued it")
    page.add_argument("--since", metavar="TIME", help="created then or later (RFC 3339)")
    page.add_argument("--until", metavar="TIME", help="created before (RFC 3339)")
    page.add_argument(
        "--limit", type=whole, metavar="N", help="at most so many lines; default 50", default=None
    )
    page.add_argument("--cursor", metavar="ID", help="go on behind this one")
    add_url(page)
    add_json(page)


def add_destinations(commands: Any) -> None:
    """Describe `notify destinations`."""
    destinations = command(commands, "destinations", "service.cli.destinations",
        "show where notifications went",
        "Each receiver of the last hour, the busiest first: attempts a minute, how many of them "
        "failed, how long they took, the last error, and what is kept back from it now.",
        function="destinations")  # fmt: skip
    destinations.add_argument(
        "--limit", type=whole, metavar="N", help="at most so many, up to 200; default 100",
        default=100,
    )  # fmt: skip
    add_url(destinations)
    add_json(destinations)
