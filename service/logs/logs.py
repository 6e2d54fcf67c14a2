"""Logs by loguru: pretty on a terminal, one JSON object per line elsewhere.

An event name and ids; never a payload, a secret or a whole recipient.
"""

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from loguru import logger

from service.logs.stream import LogStream
from service.names.origin import NAME, origin
from service.process.stdio import write_error
from service.text.printable import printable, printable_lines

if TYPE_CHECKING:
    from types import TracebackType

    from loguru import Message, Record

PRETTY = (
    "<green>{time:HH:mm:ss.SSS}</green> <level>{level: <7}</level> <cyan>{extra[role]: <10}</cyan> "
    "<level>{message}</level> <dim>\0</dim>\n"  # \0: where the fields go
)
OURS = ("role", "_rows", "_lines")  # keys of `extra` that are not fields of the line
ERROR_CHARS = 500
FRAMES = 12
OF_A_URL = re.compile(r"[/?#\\:]")

Row = Mapping[str, object]
encoder = msgspec.json.Encoder(enc_hook=str)
on_demand = logger.opt(lazy=True, depth=1)


class Push(Protocol):
    """Where lines go besides stderr."""

    def write(self, message: "Message") -> None:
        """Take what was logged: its JSON lines are `message.record["extra"]["_lines"]`."""

    def stop(self) -> None:
        """End. Called by loguru, at the latest when the process exits."""


def set_up(
    role: str,
    *,
    level: str = "info",
    style: str | None = None,
    push: Push | None = None,
    by_thread: bool = False,
) -> None:
    """Send every log line of this process to stderr, and to `push` as well.

    `by_thread`: a thread writes to stderr, so that nobody else waits for its reader. `style`:
    "pretty" or "json"; None: pretty on a terminal, else JSON. The standard library's loggers
    (aiohttp, psycopg.pool, yoyo) are included from WARNING on.
    """
    is_terminal = sys.stderr.isatty()
    is_pretty = style == "pretty" or (style is None and is_terminal)
    floor = level.upper()
    logger.remove()
    logger.configure(extra={"role": role}, patcher=add_lines)
    if push is not None:  # added first, removed first: its last warning still goes to stderr
        logger.add(push, format="", level=floor, backtrace=False, diagnose=False)
    text_of = pretty if is_pretty else json_text
    logger.add(
        LogStream(sys.stderr.fileno(), text_of) if by_thread else partial(write, text_of),
        format=lambda _: PRETTY if is_pretty else "",
        colorize=is_pretty and is_terminal and not os.environ.get("NO_COLOR"),  # no-color.org
        level=floor,
        backtrace=False,
        diagnose=False,
    )
    logging.basicConfig(handlers=[FromStandardLibrary()], level=logging.WARNING, force=True)
    # It warns about each attempt to reconnect; we log once that PostgreSQL is away.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def transitions(event: str, rows: Iterable[Row], level: str = "INFO") -> None:
    """Log one line per row, each with its `notification_id`: what became of many notifications.

    It is one call of loguru, because each call costs 16 microseconds. A generator is not even read
    when no sink wants this level.
    """
    on_demand.log(level, event, _rows=lambda: tuple(rows))


def add_lines(record: "Record") -> None:
    """Put the JSON lines into the record: once for all sinks."""
    extra = record["extra"]
    values = fields(record)
    head = {
        "ts": record["time"].isoformat(),
        "level": record["level"].name.lower(),
        "role": extra["role"],
        "event": record["message"],
        **values,
    }
    lines = json_lines(head, extra.get("_rows"))
    if not lines.isascii() or b"\x7f" in lines:
        lines = printable_lines(lines.decode()).encode()
    extra["_lines"] = lines
    record["message"] = printable(record["message"])


def fields(record: "Record") -> dict[str, Any]:
    """Collect the fields of an event, and of its error if there is one."""
    values = {k: v for k, v in record["extra"].items() if k not in OURS}
    error = record["exception"]
    if error is not None and error.value is not None:
        values |= error_fields(error.value, error.traceback)
    return values


def json_lines(head: dict[str, Any], rows: Sequence[Row] | None) -> bytes:
    """Write one JSON object per row, each with all of `head`; rows None: `head` alone."""
    try:
        start = encoder.encode(head)
        if rows is None:
            return start + b"\n"
        start = start[:-1] + b","
        # A list, because msgspec 0.22 leaks a reference for each call with anything else. Encoded
        # JSON has no line breaks but those between the lines.
        lines = encoder.encode_lines(list(rows))
        return start + lines[1:].replace(b"\n{", b"\n" + start) if lines else b""
    except (TypeError, ValueError, OverflowError):  # half a surrogate pair, an odd key
        return b"".join([plain_line({**head, **row}) for row in (({},) if rows is None else rows)])


def plain_line(values: dict[str, Any]) -> bytes:
    """Write any values as JSON: what is no number, bool or None becomes text."""
    shown = {k: v if v is None or type(v) in (int, bool) else str(v) for k, v in values.items()}
    return json.dumps(shown).encode() + b"\n"


def write(text_of: Callable[["Message"], bytes], message: "Message") -> None:
    """Write lines, as far as they are taken in time."""
    write_error(text_of(message))


def json_text(message: "Message") -> bytes:
    """Return a record's JSON lines."""
    lines: bytes = message.record["extra"]["_lines"]
    return lines


def pretty(message: "Message") -> bytes:
    """Write a record's lines for people."""
    record = message.record
    values = fields(record)
    before, after = message.split("\0")
    rows = record["extra"].get("_rows", ({},))
    text = "".join([before + words({**values, **row}) + after for row in rows])
    return text.encode(sys.stderr.encoding, "backslashreplace")


def words(values: Row) -> str:
    """Write fields for people, in one line whatever they hold."""
    return " ".join(f"{k}={printable(str(v))}" for k, v in values.items() if v is not None)


class FromStandardLibrary(logging.Handler):
    """Hand records of the standard library's logging to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        level = (
            "ERROR" if record.levelno >= logging.ERROR else "WARNING"
        )  # no level of a library's own
        logger.opt(exception=record.exc_info).log(
            level, "{}", record.getMessage(), logger=record.name
        )


def error_fields(error: BaseException, trace: "TracebackType | None") -> dict[str, str]:
    """Describe an error in three fields; of a group with a single error, describe that one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
        trace = error.__traceback__
    frames = traceback.extract_tb(trace)[-FRAMES:]
    stack = [f"{'/'.join(Path(f.filename).parts[-2:])}:{f.lineno} {f.name}" for f in frames]
    return {
        "error_type": type(error).__name__,
        "error": first_line(error),
        "stack": " > ".join(stack),
    }


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text; in the others PostgreSQL shows the failing row."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:ERROR_CHARS]


def masked(recipient: str) -> str:
    """Show enough of a recipient to recognise it, and no more: `a…@example.org`, `https://host/…`.

    What does not look like a host or a domain is not shown: it may be anything.
    """
    if "://" in recipient:
        shown = origin(recipient) or "://"
        return f"{shown}/…" if shown.startswith(("http://", "https://")) else "…://…"
    name, at, domain = recipient.rpartition("@")
    is_mail = NAME.fullmatch(domain) and not OF_A_URL.search(name)
    return f"{name[:1]}…@{domain if is_mail else '…'}" if at else f"{recipient[:1]}…"
