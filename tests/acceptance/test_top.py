"""`notify top`: pg_activity on our database, or one line that says why not."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from service.cli import top
from service.config.postgres_url import libpq_environment
from service.errors import StartError
from tests.acceptance.conftest import NOTIFY

LIMIT_S = 60.0


class Terminal:
    """A process in a terminal of 200 x 40 characters."""

    def __init__(self, *command: str, **env: str) -> None:
        self.screen, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=os.environ | {"TERM": "xterm"} | env,
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""

    def shows(self, text: str) -> bool:
        """Read until the text has come; False if it has not within the limit."""
        end = time.monotonic() + LIMIT_S
        while text not in self.shown and time.monotonic() < end:
            if not select.select([self.screen], [], [], 0.1)[0]:
                continue
            try:
                self.shown += os.read(self.screen, 65536).decode(errors="replace")
            except OSError:  # its end of the terminal is closed
                break
        return text in self.shown

    def types(self, keys: str) -> None:
        os.write(self.screen, keys.encode())

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self.screen)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def run(*command: str, **env: str) -> Terminal:
        opened.append(Terminal(*command, **env))
        return opened[-1]

    yield run
    for each in opened:
        each.close()


@pytest.mark.needs("pg_activity")
def test_it_opens_our_database_and_keeps_the_password_out_of_the_command_line(
    terminal: Callable[..., Terminal], dsn: str
) -> None:
    opened = terminal(str(NOTIFY), "top", DATABASE_URL=dsn)
    assert opened.shows("RUNNING QUERIES"), opened.shown
    assert f"/{conninfo_to_dict(dsn)['dbname']}" in opened.shown
    line = Path(f"/proc/{opened.process.pid}/cmdline").read_bytes()
    assert line.split(b"\0")[1:] == [b"-m", b"pgactivity", b""]
    opened.types("q")
    assert opened.process.wait(LIMIT_S) == 0


def test_without_a_terminal_it_says_so_in_one_line(dsn: str) -> None:
    done = subprocess.run(
        [NOTIFY, "top", "--database-url", dsn],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("notify: ")
    assert done.stderr.count("\n") == 1


def test_without_pg_activity_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "find_spec", lambda name: None)
    with pytest.raises(StartError, match=r"pip install -e '\.\[ops\]'"):
        top.run(Namespace(database_url="postgresql://a@b/c"))


def test_a_url_is_said_in_the_environment_of_libpq() -> None:
    assert libpq_environment("postgresql://me:p%40ss@a:1,b:2/db?sslmode=require") == {
        "PGUSER": "me",
        "PGPASSWORD": "p@ss",
        "PGHOST": "a,b",
        "PGPORT": "1,2",
        "PGDATABASE": "db",
        "PGSSLMODE": "require",
    }
