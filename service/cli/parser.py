"""`notify COMMAND`: what a person can ask for, and which function does it."""

import argparse
from typing import Any, NoReturn

from service.channels.words import CHANNELS, EITHER, recipients_in_help
from service.cli.arguments import (
    ENVIRONMENT,
    add_form,
    add_inbox_ports,
    add_json,
    add_port,
    add_state,
    add_url,
    command,
)
from service.cli.ledger_commands import add_adopt, add_keys, add_privacy
from service.cli.mistakes import Parser
from service.cli.values import filled, finite, integer, seconds, whole
from service.model.words import Status

STATUSES = [status.value for status in Status]
EXAMPLES = """examples:
  notify up                                   everything, here and now
  notify send webhook http://127.0.0.1:3080/hi '{"hello": "world"}'
  notify send email ada@example.org --subject Hello --text "It works."
  notify status 019a0b6e-2f31-7c11-9d5e-7a4b1c2d3e4f
  notify send log me '{}' --wait
  notify list --status failed
  notify redrive --channel webhook --code 503 --dry-run

exit codes: 0 done; 1 not done, and one line says why; 2 the command line is wrong; 130 Ctrl-C;
141 nobody reads what is printed. `notify doctor` and `notify send --wait` have more to say by them.

Tab completes commands and options in bash and zsh after this line in ~/.bashrc or ~/.zshrc:
eval "$(register-python-argcomplete notify)"
NOTIFY_DEBUG=1 shows where a fault of this program happened.
"""


def parser() -> Parser:
    """Describe every command."""
    root = Parser(
        prog="notify",
        description="Durable notifications on PostgreSQL: enqueue by HTTP or INSERT, delivered at "
        f"least once. {ENVIRONMENT}",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action=Version, nargs=0, help="print it, and end")
    commands = root.add_subparsers(metavar="COMMAND", required=True)
    root.commands = commands.choices

    add_up(commands)
    add_services(commands)
    add_roles(commands)
    add_doctor(commands)
    add_adopt(commands)
    add_top(commands)
    add_inbox(commands)
    add_send(commands)
    add_status(commands)
    add_explain(commands)
    add_list(commands)
    add_destinations(commands)
    add_cancel(commands)
    add_send_again(commands)
    add_redrive(commands)
    add_pauses(commands)
    add_probe(commands)
    add_keys(commands)
    add_privacy(commands)
    return root


class Version(argparse.Action):
    """Look the version up only when it is asked for: that takes longer than to parse."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from service.process.distribution import DISTRIBUTION, installed_version

        print(f"notify {installed_version()} ({DISTRIBUTION})")
        parser.exit()


def add_up(commands: Any) -> None:
    """Describe `notify up`."""
    up = command(commands, "up", "service.cli.up", "run everything in one process",
        "Run API, dispatcher and workers in one process. PostgreSQL and Valkey are started as its "
        "children unless DATABASE_URL / REDIS_URL name others.")  # fmt: skip
    add_state(up)
    add_port(up)
    up.add_argument("--no-inbox", action="store_true", help="do not start the inbox")
    up.add_argument(
        "--sandbox", action="store_true",
        help="for tests: everything goes to the inbox, whatever its recipient; GET /arrivals there "
        "says what arrived",
    )  # fmt: skip
    add_inbox_ports(up, "inbox-")
    up.add_argument(
        "-v", "--verbose", action="store_true", help="the inbox prints headers and bodies too"
    )


def add_services(commands: Any) -> None:
    """Describe `notify services`."""
    services = command(commands, "services", "service.cli.services",
        "run PostgreSQL and Valkey alone",
        "Start the embedded servers, print DATABASE_URL=… and REDIS_URL=… on stdout once both are "
        "ready (a .env as it stands), and run until stopped.")  # fmt: skip
    add_state(services)


def add_roles(commands: Any) -> None:
    """Describe `notify migrate`, and the roles that run apart."""
    migrate = command(
        commands, "migrate", "service.cli.roles", "bring DATABASE_URL to the current schema",
        "What `yoyo apply` does, safe for many at once.", function="migrate")  # fmt: skip
    add_json(migrate)
    command(commands, "schema", "service.cli.schema", "print the schema as SQL, for tests",
        "One statement that may run again: psql and any driver loads it into the database of your "
        "tests. Nothing is sent from there. Connects to nothing.")  # fmt: skip
    api = command(commands, "api", "service.cli.roles", "run the HTTP edge",
        "POST /notify and the reads, on PORT; needs DATABASE_URL.", function="api")  # fmt: skip
    add_port(api)
    command(commands, "dispatcher", "service.cli.roles", "run the dispatcher",
        "Fill the ready set, reap, reconcile, set the gauges, keep the partitions. Needs "
        "DATABASE_URL and REDIS_URL. Any number may run: one leads, the others stand by.",
        function="dispatcher")  # fmt: skip
    command(commands, "worker", "service.cli.roles", "run a worker",
        "Claim, send on NUM_THREADS threads, settle; in WORKER_PROCESSES processes. Needs "
        "DATABASE_URL; REDIS_URL makes it quick.", function="worker")  # fmt: skip


def add_doctor(commands: Any) -> None:
    """Describe `notify doctor`."""
    doctor = command(commands, "doctor", "service.cli.examine", "look at everything",
        "Look at database, doorbell, Redis, webhooks and mail; one line each: fine, or what to do. "
        "Changes nothing. Exit code 0: all is fine; 1: something is to be done, or it could not "
        "begin. Without DATABASE_URL it looks at the notify up of this state directory."
    )  # fmt: skip
    add_state(doctor)
    add_json(doctor)


def add_top(commands: Any) -> None:
    """Describe `notify top`."""
    top = command(commands, "top", "service.cli.top", "watch who does what in PostgreSQL",
        "pg_activity on DATABASE_URL, or on another role of the same database (--database-url), "
        "such as notify_ops. The APP column names our roles: notify-api, -disp, -maint, "
        "-work.")  # fmt: skip
    top.add_argument("--database-url", type=filled, metavar="URL", help="instead of DATABASE_URL")
    add_state(top)


def add_inbox(commands: Any) -> None:
    """Describe `notify inbox`."""
    inbox = command(commands, "inbox", "service.cli.inbox", "catch webhooks and mails",
        "A catcher for trying things out: prints a line per arrival, with its signature check "
        "(WEBHOOK_SECRET). A path may ask for an answer: /status/503, /slow/2.5 (seconds); "
        "mail to 550@example.org is refused with 550.")  # fmt: skip
    add_inbox_ports(inbox, "")
    inbox.add_argument("-v", "--verbose", action="store_true", help="print headers and bodies too")


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


def add_cancel(commands: Any) -> None:
    """Describe `notify cancel`."""
    cancel = command(commands, "cancel", "service.cli.operate", "call off what is still queued",
        "By ID, one line for each; or all that match every option given, the oldest first: then it "
        "prints the counts, and --dry-run only counts. The exit code is 1 if one of them could not "
        "be cancelled: what is being sent cannot be called back.", function="cancel")  # fmt: skip
    cancel.add_argument("ids", nargs="*", metavar="ID")
    add_filter(cancel)
    add_url(cancel)
    add_json(cancel)


def add_send_again(commands: Any) -> None:
    """Describe `notify send-again`."""
    again = command(commands, "send-again", "service.cli.operate", "send a copy of one that ended",
        "A new notification with the same payload to the same recipient, whatever became of the "
        "first; it names the first as what it repeats. Its id is printed.",
        function="send_again")  # fmt: skip
    again.add_argument("id", metavar="ID")
    add_url(again)
    add_form(again)


def add_redrive(commands: Any) -> None:
    """Describe `notify redrive`."""
    redrive = command(commands, "redrive", "service.cli.operate", "queue failed ones again",
        "By ID, or all that match every option given, the oldest first. Each gets as many attempts "
        "as a new one. Prints the counts. Try --dry-run first.",
        function="redrive")  # fmt: skip
    redrive.add_argument("ids", nargs="*", metavar="ID")
    add_filter(redrive)
    redrive.add_argument("--code", help="the last error's code, such as 503 or lease_expired")
    redrive.add_argument("--rate", type=finite, metavar="N", help="due per second; default 100")
    add_url(redrive)
    add_form(redrive)


def add_pauses(commands: Any) -> None:
    """Describe `notify pause`, `notify resume` and `notify pauses`."""
    pause = command(commands, "pause", "service.cli.pauses", "send nothing of this for now",
        "Pause a destination, a channel or a producer. What waits stays queued, and loses no "
        "attempt; what is being sent still is.", function="pause")  # fmt: skip
    add_paused(pause)
    pause.add_argument("--reason", help="why, for colleagues and producers")
    resume = command(commands, "resume", "service.cli.pauses", "end a pause",
        "By its ID, or by what is paused. What has waited comes back bit by bit, the oldest "
        "first.", function="resume")  # fmt: skip
    resume.add_argument("id", nargs="?", metavar="ID", help="as `notify pauses` shows it")
    add_paused(resume)
    pauses = command(commands, "pauses", "service.cli.pauses", "list what is paused",
        "One line each, newest first: since when, by whom, how many wait, and why.",
        function="pauses")  # fmt: skip
    for one in (pause, resume, pauses):
        add_url(one)
        add_form(one)


def add_paused(command: argparse.ArgumentParser) -> None:
    """Describe how it is said what is paused."""
    command.add_argument(
        "--destination", metavar="ORIGIN", help="such as https://example.org, or a mail domain"
    )
    command.add_argument(
        "--channel", choices=CHANNELS, metavar="CHANNEL",
        help=f"{', '.join(CHANNELS)}; beside --destination: its channel",
    )  # fmt: skip
    command.add_argument("--producer", metavar="NAME", help="who enqueues")


def add_filter(command: argparse.ArgumentParser) -> None:
    """Describe which notifications a command is for, and how many of them."""
    command.add_argument("--channel", choices=CHANNELS, metavar="CHANNEL", help=", ".join(CHANNELS))
    command.add_argument("--producer", help="who enqueued them")
    command.add_argument("--reference", help="as it was given when they were enqueued")
    command.add_argument("--recipient", help="to whom they go, whole")
    command.add_argument("--destination", help="a webhook's https://host, or the domain of mails")
    command.add_argument("--since", metavar="TIME", help="created then or later (RFC 3339)")
    command.add_argument("--until", metavar="TIME", help="created before (RFC 3339)")
    command.add_argument("--limit", type=whole, metavar="N", help="at most so many; default 1000")
    command.add_argument("--dry-run", action="store_true", help="count them and change nothing")


def add_probe(commands: Any) -> None:
    """Describe `notify probe`."""
    probe = command(commands, "probe", "service.cli.operate", "try a destination at once",
        "For a destination that workers keep notifications back from, as `notify explain ID` says: "
        "each of them lets one through within seconds, whatever is left of its wait or of the "
        "pause that the receiver asked for. If that one arrives, the others follow.",
        function="probe")  # fmt: skip
    probe.add_argument(
        "destination", nargs="?", default="", metavar="DESTINATION",
        help="a webhook's https://host, or the domain of mails; none, with --channel email: the "
        "mail server of all",
    )  # fmt: skip
    probe.add_argument(
        "--channel", choices=CHANNELS, metavar="CHANNEL",
        help="default: webhook for what has ://, else email",
    )  # fmt: skip
    add_url(probe)
    add_form(probe)
