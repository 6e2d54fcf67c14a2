"""The commands that move notifications: cancel, send-again, redrive, pauses, probe."""

import argparse
from typing import Any

from service.channels.words import CHANNELS
from service.cli.arguments import add_form, add_json, add_url, command
from service.cli.values import finite, whole


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
