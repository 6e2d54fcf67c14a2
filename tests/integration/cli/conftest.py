"""The command line beside a running edge, and beside servers that are something else."""

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from service.cli import main
from tests.acceptance.conftest import NOTIFY
from tests.integration.api.serving import Api, serving
from tests.waiting import LIMIT_S

SETTINGS = (
    "DATABASE_URL", "DATABASE_DIRECT_URL", "REDIS_URL", "SMTP_URL", "PORT", "NOTIFY_KEY",
    "NOTIFY_DEBUG",
)  # fmt: skip


class Done(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


@pytest.fixture
def api(dsn: str) -> Iterator[Api]:
    """Serve with every channel configured."""
    with serving(dsn) as running:
        yield running


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Stand in an empty directory, with nothing set; gives it."""
    monkeypatch.chdir(tmp_path)
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NOTIFY_STATE", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def notify(
    bare: Path, capsys: pytest.CaptureFixture[str], logs_restored: None
) -> Callable[..., Done]:
    """Run a command within this process: quick, and its output is no terminal."""

    def run(*argv: str) -> Done:
        try:
            code = main(argv)
        except SystemExit as end:  # argparse's way
            code = int(end.code or 0)
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def process(bare: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a command as a process of its own; what runs at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*argv: str, **options: Any) -> subprocess.Popen[bytes]:
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        environ = os.environ | options.pop("env", {})
        started.append(subprocess.Popen([NOTIFY, *argv], env=environ, **{**pipes, **options}))
        return started[-1]

    yield start
    for each in started:
        if each.poll() is None:
            each.kill()
        each.communicate()


def ended(process: subprocess.Popen[bytes], stdin: bytes = b"") -> Done:
    """Wait for its end."""
    out, err = process.communicate(stdin, timeout=LIMIT_S)
    return Done(process.returncode, (out or b"").decode(), (err or b"").decode())


class Stranger(BaseHTTPRequestHandler):
    """Answers as the first part of the path says: a status, or one of the words below."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        word = self.path.split("/")[1]
        bodies = {"html": b"<html>", "list": b"[1]", "other": b'{"a": 1}', "bytes": b"\xff\0"}
        self.send_response(200 if word in bodies else int(word))
        self.send_header("Content-Type", "text/html" if word == "html" else "application/json")
        if word in ("429", "503"):
            self.send_header("Retry-After", "7")
        if word == "302":
            self.send_header("Location", "https://user:hunter2@elsewhere.example/hunter2")
        self.end_headers()
        self.wfile.write(bodies.get(word, b"<html>"))

    do_POST = do_GET  # noqa: N815 - the library's name

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def stranger() -> Iterator[str]:
    """Run an HTTP server that is not ours; gives its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def silent_server() -> Iterator[tuple[int, threading.Event]]:
    """Listen, and never say a word; gives the port, and whether anybody came."""
    came = threading.Event()
    held = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hold() -> None:
            with suppress(OSError):
                while True:
                    held.append(server.accept()[0])
                    came.set()

        thread = threading.Thread(target=hold)
        thread.start()
        yield server.getsockname()[1], came
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    for sock in held:
        sock.close()


@pytest.fixture
def silent(silent_server: tuple[int, threading.Event]) -> int:
    """Give the port alone."""
    return silent_server[0]
