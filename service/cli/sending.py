"""`notify send`: enqueue one notification and, with --wait, wait until it has ended."""

import argparse
import json
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import msgspec

from service.cli.address import base_url
from service.cli.options import entered, spelled
from service.cli.output import is_json, note, say, show
from service.cli.reading import shaped, story
from service.errors import ConfigError, NobodyListens, TryLater

EXIT_CODES = {"sent": 0, "failed": 3, "expired": 4, "cancelled": 5}
NOT_YET = 6
# More than the API takes, which says what its limit is. Without one, @/dev/zero would never end.
PAYLOAD_MAX_BYTES = 4 * 1024**2
LOOK_S = (0.05, 1.0)  # between two looks: the first pause, and the longest


def run(args: argparse.Namespace) -> int:
    """Enqueue one notification and print the answer; with --wait, what became of it."""
    from service.cli import client

    if args.timeout is not None and not args.wait:
        raise ConfigError("--timeout is how long --wait may take: give both")
    body = {"channel": args.channel, "recipient": args.recipient, "payload": payload(args)}
    body |= entered(args, args.fields)
    base = base_url(args)
    sent = shaped(client.send(base, body, typed(args)), "id", "status")
    if args.wait:
        return waited(args, base, sent["id"])
    if is_json(args):
        show(sent)
    else:
        say([f"{sent['id']} {sent['status']}"])
    return 0


def waited(args: argparse.Namespace, base: str, id: str) -> int:
    """Look until it has ended; returns the exit code for how. Ctrl-C ends only the looking."""
    note(f"{id} queued")
    timeout_s = 60.0 if args.timeout is None else args.timeout
    notification = wait_for_end(base, id, time.monotonic() + timeout_s)
    if notification is None:
        note(f"{id} has not ended within {timeout_s:g} s, and goes on: notify status {id}")
        return NOT_YET
    if is_json(args):
        show(notification)
    else:
        say(story(notification))
    return EXIT_CODES[notification["status"]]


def wait_for_end(base: str, id: str, end: float) -> dict[str, Any] | None:
    """Ask until it has ended, or until `end` (monotonic): then return None.

    An API that does not answer is asked again: it may be restarting. Raises TryLater if it does
    not answer at the end either.
    """
    from service.cli import client

    pause_s, longest_s = LOOK_S
    while True:
        try:
            notification = shaped(client.status(base, id), "id", "status")
            if notification["status"] in EXIT_CODES:
                return notification
        except (TryLater, NobodyListens) as error:
            if time.monotonic() > end:
                raise TryLater(
                    f"{id} was queued, and what became of it is not known: {error}"
                ) from error
        left_s = end - time.monotonic()
        if left_s <= 0:
            return None
        time.sleep(min(pause_s, left_s))
        pause_s = min(pause_s * 1.5, longest_s)


def payload(args: argparse.Namespace) -> Any:
    """Return the payload as it was written, or made of a mail's options. Raises ConfigError."""
    mail = entered(args, args.mail)
    if args.payload is None:
        return mail
    if mail:
        raise ConfigError("give either JSON or --subject, --text and --html")
    text = payload_text(args.payload)
    check(text)
    return msgspec.Raw(text.encode())


def payload_text(argument: str) -> str:
    """Return the text of a payload: the argument, or what is in @file or stdin (`-`).

    Raises ConfigError.
    """
    if argument != "-" and not argument.startswith("@"):
        return argument
    try:
        with open_payload(argument) as file:
            data = file.read(PAYLOAD_MAX_BYTES + 1)
        if len(data) > PAYLOAD_MAX_BYTES:
            raise ConfigError(f"the payload in {place(argument)} is larger than the API takes")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"the payload in {place(argument)} is not UTF-8: byte {error.start + 1}"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it cannot be read"
        raise ConfigError(f"the payload in {place(argument)}: {reason}") from None


def open_payload(argument: str) -> AbstractContextManager[BinaryIO]:
    """Open what `-` or `@file` names; stdin stays open afterwards."""
    return nullcontext(sys.stdin.buffer) if argument == "-" else Path(argument[1:]).open("rb")


def place(argument: str) -> str:
    """Name what `-` or `@file` names, for an error."""
    return "stdin" if argument == "-" else argument[1:] or "''"


def check(text: str) -> None:
    """Check that a text is JSON. Raises ConfigError, which says where it is not."""
    try:
        json.loads(text, parse_constant=not_a_number)
        text.encode()
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        rest = error.doc[error.pos : error.pos + 20] or "it ends there"
        hint = "; is it quoted for the shell?" if "{" in text and '"' not in text else ""
        raise ConfigError(
            f"the payload is not JSON: {error.msg} at {where}: {rest}{hint}"
        ) from None
    except RecursionError:
        raise ConfigError("the payload is not JSON that fits: nested too deeply") from None
    except ValueError as error:
        raise ConfigError(f"the payload is not JSON: {error}") from None


def not_a_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number there")


def typed(args: argparse.Namespace) -> dict[str, str]:
    """Return how each field of the request was typed, by its JSON pointer."""
    words = {"/channel": "CHANNEL", "/recipient": "RECIPIENT", "/payload": "JSON"}
    if args.payload is None:
        words = words | spelled(args.mail, "/payload") | {"/payload": "--subject, --text, --html"}
    return words | spelled(args.fields)
