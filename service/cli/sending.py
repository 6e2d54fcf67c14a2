"""`notify send`: enqueue one notification, and perhaps wait for its end."""

import argparse
import json
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import msgspec

from service.cli.address import base_url
from service.cli.output import is_json, note, say, show
from service.cli.reading import shaped, story
from service.errors import ConfigError, NobodyListens, TryLater

FIELDS = ("priority", "send_at", "expires_at", "max_attempts", "reference")
MAIL = ("subject", "text", "html")
ENDS = {"sent": 0, "failed": 3, "expired": 4, "cancelled": 5}
NOT_YET = 6
PAYLOAD_MAX_BYTES = 4 * 1024**2  # the API says at which size it is too large; /dev/zero has no end
LOOK_S = (0.05, 1.0)  # between two looks: at first, and later


def run(args: argparse.Namespace) -> int:
    """Enqueue one notification and print the answer; with --wait, what became of it."""
    from service.cli import client

    if args.timeout is not None and not args.wait:
        raise ConfigError("--timeout is how long --wait may take: give both")
    body = {"channel": args.channel, "recipient": args.recipient, "payload": payload(args)}
    body |= {name: getattr(args, name) for name in FIELDS if getattr(args, name) is not None}
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
    """Look until it has ended, and say by the exit code how. Ctrl-C ends the looking alone."""
    note(f"{id} queued")
    timeout_s = 60.0 if args.timeout is None else args.timeout
    found = ended(base, id, time.monotonic() + timeout_s)
    if found is None:
        note(f"{id} has not ended within {timeout_s:g} s, and goes on: notify status {id}")
        return NOT_YET
    if is_json(args):
        show(found)
    else:
        say(story(found))
    return ENDS.get(found["status"], NOT_YET)


def ended(base: str, id: str, end: float) -> dict[str, Any] | None:
    """Read it again and again until it has ended; None: not in time. An API may come back."""
    from service.cli import client

    pause_s, longest_s = LOOK_S
    while True:
        try:
            found = shaped(client.status(base, id), "id", "status")
            if found["status"] in ENDS:
                return found
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
    """Give the payload as it was written, or a mail's options put together. Raises ConfigError."""
    mail = {name: getattr(args, name) for name in MAIL if getattr(args, name) is not None}
    if args.payload is None:
        return mail
    if mail:
        raise ConfigError("give either JSON or --subject, --text and --html")
    text = read(args.payload)
    check(text)
    return msgspec.Raw(text.encode())


def read(given: str) -> str:
    """Give the text of a payload: as it is, of @file, or of stdin. Raises ConfigError."""
    if given != "-" and not given.startswith("@"):
        return given
    try:
        with open_payload(given) as file:
            data = file.read(PAYLOAD_MAX_BYTES + 1)
        if len(data) > PAYLOAD_MAX_BYTES:
            raise ConfigError(f"the payload in {place(given)} is larger than the API takes")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"the payload in {place(given)} is not UTF-8: byte {error.start + 1}"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it cannot be read"
        raise ConfigError(f"the payload in {place(given)}: {reason}") from None


def open_payload(given: str) -> AbstractContextManager[BinaryIO]:
    """Open what `-` or `@file` names; stdin stays open."""
    return nullcontext(sys.stdin.buffer) if given == "-" else Path(given[1:]).open("rb")


def place(given: str) -> str:
    return "stdin" if given == "-" else given[1:] or "''"


def check(text: str) -> None:
    """Raise ConfigError, with the place, if a text is not JSON."""
    try:
        json.loads(text, parse_constant=no_number)
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


def no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number there")


def typed(args: argparse.Namespace) -> dict[str, str]:
    """Say as what each field of the request was typed."""
    words = {f"/{name}": "--" + name.replace("_", "-") for name in FIELDS}
    words |= {"/channel": "CHANNEL", "/recipient": "RECIPIENT", "/payload": "JSON"}
    if args.payload is None:
        words |= {f"/payload/{name}": f"--{name}" for name in MAIL} | {
            "/payload": "--subject, --text, --html"
        }
    return words
