"""What the roles ask of PostgreSQL, by its own log: which statements, and how long each took."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from load.bench.stack import Stack

# An `execute` has been parsed and bound in lines of its own.
LINE = re.compile(r"LOG:  duration: ([\d.]+) ms  (?:execute [^:]*|statement): (.*)")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement that a client sent. Its commit is not in its time, if it was prepared."""

    took_ms: float
    text: str  # its beginning


class Log:
    """The server's log from a moment on."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._at = file.stat().st_size

    def since(self) -> list[Statement]:
        """Read what has come since the last call, or since the beginning."""
        with self._file.open("rb") as file:
            file.seek(self._at)
            read = file.read()
        whole = read[: read.rfind(b"\n") + 1]
        self._at += len(whole)
        return list(statements(whole.decode(errors="replace")))


def statements(text: str) -> Iterator[Statement]:
    """Find the statements; a line that begins with a tab goes on with the one before."""
    for line in text.replace("\n\t", " ").splitlines():
        if match := LINE.search(line):
            yield Statement(float(match[1]), match[2].strip())


@contextmanager
def timed(stack: Stack) -> Iterator[Log]:
    """Let PostgreSQL log each statement of sessions that begin in this context."""
    role = conninfo_to_dict(stack.database_url)["user"]
    logging = sql.SQL("alter role {} set log_min_duration_statement = {}")
    with psycopg.connect(as_superuser(stack), autocommit=True) as superuser:
        superuser.execute(logging.format(sql.Identifier(str(role)), 0))
        try:
            yield Log(state(stack) / "postgres.log")
        finally:
            superuser.execute(logging.format(sql.Identifier(str(role)), -1))


def as_superuser(stack: Stack) -> str:
    """Name the server's superuser, who alone may say what is logged."""
    password = json.loads((state(stack) / "kept.json").read_text())["superuser_password"]
    return make_conninfo(stack.database_url, user="postgres", password=password)


def state(stack: Stack) -> Path:
    """Name the servers' state directory."""
    return stack.directory / "state"
