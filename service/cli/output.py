"""What commands print: text for people, JSON for programs."""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from service.text.indented import indented
from service.text.printable import printable, printable_json, printable_lines


def is_json(args: argparse.Namespace) -> bool:
    """Return whether a document is wanted as JSON: by --json, or by a pipe without --no-json."""
    if args.json is not None:
        return bool(args.json)
    return not sys.stdout.isatty()


def show(document: object) -> None:
    """Print a document as JSON, with escapes where the output's encoding lacks a character."""
    text = printable_json(document)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(document, indent=2)
    print(text)


def show_exactly(document: object) -> None:
    """Print a document that has parts as JSON already, msgspec.Raw: they are not read again."""
    text = msgspec.json.encode(document).decode()
    show_written(indented(text) or text)


def show_written(json_text: str) -> None:
    """Print what is JSON already; only its strings hold what must be escaped."""
    text = printable_lines(json_text)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = "".join([c if c.isascii() else json.dumps(c)[1:-1] for c in text])
    print(text)


def say(lines: Iterable[str]) -> None:
    """Print lines, none wider than the terminal; into a pipe they go whole."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for line in lines:
        text = printable(line)
        print(f"{text[: width - 1]}…" if 1 < width < len(text) else text, flush=True)


def leads_nowhere() -> bool:
    """Return whether nobody reads what is printed: it is closed, or the null device."""
    try:
        return os.path.samestat(os.fstat(sys.stdout.fileno()), Path(os.devnull).stat())
    except (OSError, ValueError):
        return False


def note(text: str) -> None:
    """Print a remark for a person on standard error, beside the output itself."""
    print(printable(text), file=sys.stderr, flush=True)
