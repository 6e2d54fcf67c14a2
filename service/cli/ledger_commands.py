"""The commands that speak to the database themselves: adopt, keys, erase, export, audit."""

import argparse
from typing import Any

from service.cli.arguments import add_form, add_json, add_state, command
from service.cli.values import filled, finite, span, whole

KEY_VERBS = ["create", "list", "revoke", "rotate"]


def add_adopt(commands: Any) -> None:
    """Describe `notify adopt`."""
    adopt = command(commands, "adopt", "service.cli.adopt", "send from a copy of a ledger",
        "Nothing is sent from a database that was copied from another, or whose home has another "
        "ENVIRONMENT than this one. This makes it the home of its ledger, under this ENVIRONMENT."
    )  # fmt: skip
    adopt.add_argument(
        "--discard",
        action="store_true",
        help="first cancel what was queued or being sent when the copy was noticed",
    )
    add_state(adopt)
    add_json(adopt)


def add_keys(commands: Any) -> None:
    """Describe `notify keys`."""
    keys = command(commands, "keys", "service.cli.keys", "make, list, revoke, rotate API keys",
        "In the database of DATABASE_URL, or of the notify up of this state directory. Once there "
        "is one key, every request to the API needs one. A new one is printed once. rotate makes a "
        "successor, and lets the old one go on for --grace.")  # fmt: skip
    keys.add_argument("verb", choices=KEY_VERBS, metavar="VERB", help=", ".join(KEY_VERBS))
    keys.add_argument("id", nargs="?", metavar="ID", help="revoke, rotate: of which key")
    keys.add_argument("--producer", type=filled, metavar="NAME", help="create: whose key it is")
    keys.add_argument(
        "--scope", action="extend", nargs="+", metavar="SCOPE",
        help="send (the default), send:CHANNEL, read, read:payload, operate, admin",
    )  # fmt: skip
    keys.add_argument("--kind", metavar="KIND", help="live (the default), test, team")
    keys.add_argument(
        "--recipient", action="extend", nargs="+", metavar="PATTERN",
        help="only to such: '*@example.org', 'https://hooks.example.org/*'",
    )  # fmt: skip
    keys.add_argument(
        "--channel", action="extend", nargs="+", metavar="CHANNEL", help="only on these"
    )
    keys.add_argument("--expires", type=span, metavar="TIME", help="ends after: 12h, 90d")
    keys.add_argument("--rate", type=finite, metavar="N", help="at most so many requests a second")
    keys.add_argument("--burst", type=whole, metavar="N", help="and so many at once")
    keys.add_argument(
        "--grace", type=span, metavar="TIME", help="rotate: the old one ends after; default 24h"
    )
    add_state(keys)
    add_json(keys)


def add_privacy(commands: Any) -> None:
    """Describe `notify erase`, `export` and `audit`, which speak to the database themselves."""
    erase = command(commands, "erase", "service.cli.person", "take a person out of the ledger",
        "What is queued for them is called off; recipient, payload, reference, idempotency key and "
        "answers go from whatever has ended; status, times and counts stay. Prints the counts. "
        "Exit code 1: something is left, such as what is being sent. Try --dry-run "
        "first.", function="erase")  # fmt: skip
    add_person(erase)
    erase.add_argument("--dry-run", action="store_true", help="count them and change nothing")
    add_state(erase)
    add_form(erase)
    export = command(commands, "export", "service.cli.person", "print all that is kept of a person",
        "A JSON object on each line: a notification with its payload and its attempts, the oldest "
        "first.", function="export")  # fmt: skip
    add_person(export)
    add_state(export)
    audit = command(commands, "audit", "service.cli.person", "who cancelled, redrove, erased …",
        "The last uses, newest first; of each by whom, with which key, and what "
        "came of it.", function="audit")  # fmt: skip
    audit.add_argument(
        "--limit", type=whole, metavar="N", help="at most so many; default 50", default=50
    )
    add_state(audit)
    add_json(audit)


def add_person(command: argparse.ArgumentParser) -> None:
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--recipient",
        type=filled,
        metavar="R",
        help="as it was enqueued; a mail address in any case and either spelling of its domain",
    )
    which.add_argument("--reference", type=filled, metavar="X", help="as it was enqueued, exactly")
