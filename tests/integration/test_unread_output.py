"""Nobody reads what a role prints: it does its work, and ends when it is asked to."""

import fcntl
import os
import pty
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from loguru import logger

from service.logs import logs
from service.logs.stream import BACKLOG_MAX_BYTES, LogStream
from service.process import stdio
from tests import ledger
from tests.acceptance.conftest import free_port
from tests.integration.workers.sink import Sink
from tests.waiting import LIMIT_S, wait_for

NOTIFY = Path(sys.executable).with_name("notify")
STOP_MAX_S = 20.0
FULL = Path("/dev/full")
FAILS = """
import sys
from service.cli.run import in_one_line
from service.errors import StartError
from service.logs import logs
from service.process import stdio
stdio.ERROR_WAIT_S = 0.2

def work():
    logs.set_up("test")
    logs.logger.error("unread")
    raise StartError("unread too")

sys.exit(in_one_line(work))
"""
ROOM = 1000  # bytes that are read from a full terminal: less than a pipe takes at once


@pytest.fixture
def unread():
    """Give a pipe that is full to its last byte; its reader is there, and reads nothing."""
    reader, writer = os.pipe()
    with suppress(AttributeError):  # only Linux has small ones
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b".")
    os.set_blocking(writer, True)
    yield reader, writer
    for fd in (reader, writer):
        with suppress(OSError):
            os.close(fd)


@pytest.fixture
def terminal():
    """Give both ends of a terminal that nobody reads, and that has a little room left."""
    screen, theirs = pty.openpty()
    own = os.open(os.ttyname(theirs), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    with suppress(BlockingIOError):
        while True:
            os.write(own, b".")
    os.close(own)
    os.read(screen, ROOM)
    yield screen, theirs
    for fd in (screen, theirs):
        with suppress(OSError):
            os.close(fd)


def on_the_screen(screen):
    """Read all that was written to a terminal."""
    os.set_blocking(screen, False)
    read = bytearray()
    with suppress(BlockingIOError):
        while True:
            read += os.read(screen, 65536)
    return bytes(read).lstrip(b".").replace(b"\r\n", b"\n").decode()


class Role(subprocess.Popen[bytes]):
    """A role, and where its metrics are."""

    url: str


@pytest.fixture
def role(dsn, redis_url):
    """Start a role whose output goes where the test says."""
    started = []

    def start(command, out, **env):
        port = str(free_port())
        env = {
            "PATH": os.environ["PATH"],
            "WEBHOOK_ALLOW": "127.0.0.0/8",
            "DATABASE_URL": dsn,
            "REDIS_URL": redis_url,
            "PORT": port,
            "METRICS_PORT": port,
            "SHUTDOWN_GRACE_S": "1",
            "RETRY_SCHEDULE": "0.05s",
            **env,
        }
        started.append(Role([NOTIFY, command], env=env, stdout=out, stderr=out))
        started[-1].url = f"http://127.0.0.1:{port}/metrics"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def works(process):
    """Say whether it is past its start: its role shows figures, which it did not at first."""
    assert process.poll() is None
    with suppress(OSError):
        shown = urllib.request.urlopen(process.url, timeout=5).read()
        return any(name in shown for name in (b"\napi_", b"\ndispatcher_", b"\nworker_"))


def ends(process, number=signal.SIGTERM):
    process.send_signal(number)
    return process.wait(STOP_MAX_S)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["api", "dispatcher", "worker"])
def test_a_role_works_and_ends_while_its_output_is_full(role, unread, command):
    process = role(command, unread[1])
    wait_for(lambda: works(process))
    assert ends(process) == 0


@pytest.mark.slow
@pytest.mark.parametrize("command", ["api", "dispatcher", "worker"])
def test_a_role_works_and_ends_when_the_reader_of_its_output_is_gone(role, unread, command):
    reader, writer = unread
    os.close(reader)
    process = role(command, writer)
    wait_for(lambda: works(process))
    assert ends(process) == 0


@pytest.mark.slow
@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is full")
@pytest.mark.parametrize("command", ["api", "dispatcher", "worker"])
def test_a_role_works_and_ends_when_there_is_no_room_for_its_output(role, command):
    with FULL.open("wb") as full:
        process = role(command, full)
        wait_for(lambda: works(process))
        assert ends(process, signal.SIGINT) == 0


@pytest.mark.parametrize("kind", ["unread", "gone", "full"])
def test_an_inbox_catches_and_ends_whatever_becomes_of_its_lines(unread, kind):
    out, ports = unread[1], [str(free_port()), str(free_port())]
    if kind == "gone":
        os.close(unread[0])
    elif kind == "full":
        out = os.open(FULL, os.O_WRONLY)
    argv = [str(NOTIFY), "inbox", "--http-port", ports[0], "--smtp-port", ports[1]]
    inbox = subprocess.Popen(argv, stdout=out, stderr=out)

    def is_caught():
        assert inbox.poll() is None
        with suppress(OSError):
            return urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}/x", b"{}", 5).status == 200

    try:
        wait_for(is_caught)
        assert is_caught()
        assert ends(inbox) == 0
    finally:
        inbox.kill()
        inbox.wait()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["unread", "gone", "full"])
def test_webhooks_are_sent_beside_lines_that_nobody_takes(db, role, unread, kind):
    out, sink = unread[1], Sink()
    if kind == "gone":
        os.close(unread[0])
    elif kind == "full":
        out = os.open(FULL, os.O_WRONLY)
    sink.hold.set()
    lines = ledger.enqueue(db, 50)
    process = role("worker", out)
    wait_for(lambda: {a.code for id_ in lines for a in ledger.attempts_of(db, id_)})
    ids = ledger.enqueue(db, 20, channel="webhook", recipient=sink.url + "/held", payload="{}")
    wait_for(lambda: {ledger.status(db, id_) for id_ in ids} == {"sent"})
    assert {ledger.status(db, id_) for id_ in lines} <= {"queued", "sending"}
    attempts = [a for id_ in lines for a in ledger.attempts_of(db, id_)]
    assert {a.code for a in attempts} == {"not_written"}
    assert ends(process) == 0
    sink.close()


@pytest.mark.slow
def test_lines_are_written_once_somebody_reads_again(db, role, unread):
    reader, writer = unread
    ids = ledger.enqueue(db, 50)
    process = role("worker", writer, LOG_LEVEL="error")
    wait_for(lambda: ledger.attempts_of(db, ids[0]))
    os.close(writer)
    os.set_blocking(reader, False)
    read = bytearray()

    def all_are_read():
        with suppress(BlockingIOError):
            read.extend(os.read(reader, 65536))
        return read.count(b'"delivered"') >= len(ids)

    wait_for(all_are_read)
    wait_for(lambda: {ledger.status(db, id_) for id_ in ids} == {"sent"})
    assert ends(process) == 0


@pytest.mark.parametrize("kind", ["pipe", "terminal"])
def test_a_command_that_fails_ends_though_nobody_reads_why(unread, terminal, kind):
    err = {"pipe": unread, "terminal": terminal}[kind][1]
    failing = subprocess.Popen([sys.executable, "-c", FAILS], stderr=err)
    try:
        assert failing.wait(LIMIT_S) == 1
    finally:
        failing.kill()
        failing.wait()


@pytest.fixture
def stream(unread):
    """Log into a pipe that nobody reads yet."""
    made = []

    def stream():
        made.append(LogStream(unread[1], logs.json_text))
        return made[-1]

    yield stream
    os.close(unread[0])  # whoever still writes hears of it
    for log_stream in made:
        log_stream.stop()


def logging_to(sink):
    logger.remove()
    logger.configure(extra={"role": "test"}, patcher=logs.add_lines)
    logger.add(sink, format="", level="INFO")


@pytest.mark.usefixtures("logs_restored")
def test_what_is_logged_while_nobody_reads_is_written_later_as_far_as_it_was_kept(unread, stream):
    logging_to(stream())
    for n in range(3):
        logger.info("early", n=n)
    logger.info("much", text="x" * BACKLOG_MAX_BYTES)
    read = bytearray()

    def reads_of_the_drop():
        read.extend(os.read(unread[0], 65536))
        return b"log_lines_dropped" in read

    wait_for(reads_of_the_drop)
    assert read.count(b'"early"') == 3
    assert b'"much"' not in read


@pytest.mark.usefixtures("logs_restored")
def test_a_log_that_nobody_reads_ends_when_it_is_told_to(stream):
    log_stream = stream()
    logging_to(log_stream)
    logger.info("unread")
    logger.remove()
    assert log_stream.stopping.is_set()


@contextmanager
def stdout_into(writer):
    """Make a pipe our standard output. No fixture: what pytest captures with begins after those."""
    with os.fdopen(os.dup(writer), "w") as out, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        yield


def test_lines_for_a_full_pipe_are_reported_as_not_written(unread):
    with stdout_into(unread[1]):
        assert stdio.write(["one", "two"]) == (0, stdio.NOBODY_READS)
        os.read(unread[0], 65536)
        assert stdio.write(["one", "two"]) == (2, "")
    assert os.read(unread[0], 65536) == b"one\ntwo\n"


def test_of_lines_beyond_a_pipes_room_the_first_are_written(unread):
    os.read(unread[0], 65536)
    lines = [f"{n:050}" for n in range(1000)]
    with stdout_into(unread[1]):
        written, reason = stdio.write(lines)
    assert reason == stdio.NOBODY_READS
    assert os.read(unread[0], 65536) == "".join(f"{line}\n" for line in lines[:written]).encode()
    assert 0 < written < 1000


def test_what_is_printed_for_nobody_is_left_out(unread):
    printer = stdio.Printer()
    with stdout_into(unread[1]):
        print("unread", file=printer, flush=True)
        os.read(unread[0], 65536)
        print("read", "ä", file=printer, flush=True)
    assert os.read(unread[0], 65536) == "read ä\n".encode()


def test_what_is_printed_for_nobody_is_waited_with_once(unread, monkeypatch):
    waits = []
    monkeypatch.setattr(stdio, "taken", lambda fd, data, wait_s: waits.append(wait_s) or 0)
    printer = stdio.Printer()
    with stdout_into(unread[1]):
        for _ in range(3):
            print("unread", file=printer, flush=True)
        monkeypatch.undo()
        os.read(unread[0], 65536)
        print("read", file=printer, flush=True)
    assert waits == [stdio.WAIT_S, 0.0, 0.0]
    assert printer.wait_s == stdio.WAIT_S


@pytest.mark.parametrize("stdout", [None, "closed"])
def test_lines_without_a_standard_output_are_told_as_not_written(monkeypatch, stdout, tmp_path):
    if stdout:
        stdout = (tmp_path / "out").open("w")
        stdout.close()
    monkeypatch.setattr(sys, "stdout", stdout)
    written, reason = stdio.write(["one"])
    assert written == 0
    assert reason


def test_a_terminal_that_nobody_reads_keeps_no_writer_waiting(terminal):
    screen, theirs = terminal
    lines = [f"{n:050}" for n in range(1000)]
    with stdout_into(theirs):
        written, reason = stdio.write(lines)
        assert reason == stdio.NOBODY_READS
        assert written < len(lines)
        assert os.get_blocking(theirs)
        shown = on_the_screen(screen)
        assert stdio.write(["next"]) == (1, "")
    shown += on_the_screen(screen)
    whole = "".join(f"{line}\n" for line in lines[:written])
    assert shown.startswith(whole)
    assert shown.endswith("next\n")
    assert lines[written].startswith(shown[len(whole) : -len("next\n")])


def test_what_is_logged_to_a_terminal_that_nobody_reads_is_shown_once(terminal):
    screen, theirs = terminal
    log_stream = LogStream(theirs, str.encode)
    lines = [f"{n:050}\n" for n in range(1000)]
    for line in lines:
        log_stream.write(line)  # type: ignore[arg-type]
    shown = ""

    def all_are_shown():
        nonlocal shown
        shown += on_the_screen(screen)
        return shown.count("\n") >= len(lines)

    wait_for(all_are_shown)
    log_stream.stop()
    assert shown + on_the_screen(screen) == "".join(lines)


def test_a_terminal_that_may_not_be_opened_is_written_to_as_it_is(monkeypatch):
    screen, theirs = pty.openpty()

    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(os, "open", refused)
    with stdout_into(theirs):
        assert stdio.write(["one"]) == (1, "")
    monkeypatch.undo()
    assert on_the_screen(screen) == "one\n"
    os.close(screen)
    os.close(theirs)


def test_a_terminal_that_was_closed_is_told(terminal):
    screen, theirs = terminal
    os.close(screen)
    with stdout_into(theirs):
        written, reason = stdio.write(["one"])
    assert written == 0
    assert reason
