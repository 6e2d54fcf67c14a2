"""`notify send`: enqueue one notification and, with --wait, wait until it has ended."""

import argparse
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import msgspec

from service.cli.address import base_url
from service.cli.options import entered, spelled
from service.cli.output import is_json, note, say, show
from service.cli.reading import shaped
from service.cli.status import refuse_lone_timeout, waited
from service.errors import ConfigError

# More than the API takes, which says what its limit is. Without one, @/dev/zero would never end.
PAYLOAD_MAX_BYTES = 4 * 1024**2


def run(args: argparse.Namespace) -> int:
    """Enqueue one notification and print the answer; with --wait, what became of it."""
    from service.cli import client

    refuse_lone_timeout(args)
    body = {"channel": args.channel, "recipient": args.recipient, "payload": payload(args)}
    body |= entered(args, args.fields)
    base = base_url(args)
    sent = shaped(client.send(base, body, typed(args)), "id", "status")
    if args.wait:
        note(f"{sent['id']} queued")
        return waited(args, base, sent["id"])
    if is_json(args):
        show(sent)
    else:
        say([f"{sent['id']} {sent['status']}"])
    return 0


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
