"""Logs by loguru: pretty on a terminal, one JSON object per line elsewhere.

An event name and ids; never a payload, a secret or a whole recipient.
"""

import json
import logging
import sys
from typing import TYPE_CHECKING

from loguru import logger

if TYPE_CHECKING:
    from loguru import Message, Record

PRETTY = (
    "<green>{time:HH:mm:ss.SSS}</green> <level>{level: <7}</level> <cyan>{extra[role]: <10}</cyan> "
    "<level>{message}</level> <dim>{extra[fields]}</dim>"
)
OURS = ("role", "fields", "line")


def set_up(role: str, *, level: str = "info", style: str | None = None) -> None:
    """Send every log line of this process to stderr.

    `style`: "pretty" or "json"; None: pretty on a terminal, else JSON. The standard library's
    loggers (aiohttp, psycopg.pool, yoyo) come along at WARNING.
    """
    style = style or ("pretty" if sys.stderr.isatty() else "json")
    logger.remove()
    logger.configure(extra={"role": role, "fields": "", "line": ""}, patcher=add_line)
    if style == "pretty":
        logger.add(sys.stderr, format=PRETTY, level=level.upper(), backtrace=False, diagnose=False)
    else:
        logger.add(write_json, format="", level=level.upper(), backtrace=False, diagnose=False)
    logging.basicConfig(handlers=[FromStandardLibrary()], level=logging.WARNING, force=True)
    # It warns about every try to reconnect; we say once that PostgreSQL is away.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def add_line(record: "Record") -> None:
    """Put the JSON line, and the fields as text, into the record: once for all sinks."""
    extra = record["extra"]
    values = {k: v for k, v in extra.items() if k not in OURS}
    extra["fields"] = " ".join(f"{k}={v}" for k, v in values.items())
    line = {
        "ts": record["time"].isoformat(),
        "level": record["level"].name.lower(),
        "role": extra["role"],
        "event": record["message"],
        **values,
    }
    error = record["exception"]
    if error is not None and error.type is not None:
        line["error_type"] = error.type.__name__
        line["error"] = str(error.value)
    extra["line"] = json.dumps(line, default=str, ensure_ascii=False)


def write_json(message: "Message") -> None:
    """Write one JSON line."""
    sys.stderr.write(message.record["extra"]["line"] + "\n")


class FromStandardLibrary(logging.Handler):
    """Hand records of the standard library's logging to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        logger.opt(exception=record.exc_info).log(
            record.levelname, "{}", record.getMessage(), logger=record.name
        )


def masked(recipient: str) -> str:
    """Show enough of a recipient to recognise it, and no more: `a…@example.org`, `https://host/…`."""
    if "://" in recipient:
        scheme, _, rest = recipient.partition("://")
        host = rest.split("/", 1)[0].rsplit("@", 1)[-1].split("?", 1)[0].split("#", 1)[0]
        return f"{scheme}://{host}/…"
    name, at, domain = recipient.rpartition("@")
    return f"{name[:1]}…@{domain}" if at else f"{recipient[:1]}…"
