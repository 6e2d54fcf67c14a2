"""What ends a command: SIGTERM, Ctrl-C and a closed terminal, in any order and number."""

import asyncio
import os
import pty
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from service.cli.running import run_until_stopped
from tests.acceptance.conftest import NOTIFY, Command, free_port
from tests.waiting import LIMIT_S, wait_for

Start = Callable[..., Command]
ROLES = {"api": '"api"', "dispatcher": "leading", "worker": "worker_started"}
TERM, INT, HUP = signal.SIGTERM, signal.SIGINT, signal.SIGHUP


@pytest.fixture
def run(start: Start, dsn: str, redis_url: str) -> Callable[[str], Command]:
    """Start a role and wait until it runs."""

    def run(role: str) -> Command:
        servers = {"DATABASE_URL": dsn, "REDIS_URL": redis_url}
        ports = {"PORT": str(free_port()), "METRICS_PORT": str(free_port())}
        command = start(role, **servers, **ports)
        command.says(ROLES[role])
        return command

    return run


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("number", [TERM, INT, HUP], ids=lambda number: number.name)
def test_each_role_stops_in_order(run: Callable[[str], Command], role: str, number: int) -> None:
    command = run(role)
    assert command.stop(number) == 0
    assert "stopping" in command.output
    assert "Traceback" not in command.output


@pytest.mark.slow
@pytest.mark.parametrize("args", [["up", "--no-inbox"], ["services"]], ids=["up", "services"])
@pytest.mark.parametrize("when", ["early", "late"])
def test_what_has_servers_stops_them_first(
    start: Start, state: Path, args: list[str], when: str
) -> None:
    port = ["--port", str(free_port())] if args[0] == "up" else []
    command = start(*args, "--state", str(state), *port)
    if when == "late":
        command.says("notify is up" if args[0] == "up" else "REDIS_URL=")
    else:
        wait_for((state / "postgres" / "data").exists)
    assert command.stop(HUP) in (0, 128 + HUP)  # 128: it was still starting
    assert not (state / "postgres" / "data" / "postmaster.pid").exists()


def test_a_closed_terminal_is_an_orderly_stop(tmp_path: Path) -> None:
    ports = ["--http-port", str(free_port()), "--smtp-port", str(free_port())]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execv(NOTIFY, [str(NOTIFY), "inbox", *ports])
    said = b""
    while b"catching" not in said:
        said += os.read(terminal, 1000)
    os.close(terminal)
    ended: list[int] = []

    def has_ended() -> bool:
        found, status = os.waitpid(pid, os.WNOHANG)
        ended.extend([os.waitstatus_to_exitcode(status)] if found else [])
        return bool(ended)

    wait_for(has_ended)
    assert ended == [0]


def test_nohup_lets_a_closed_terminal_go_by(run: Callable[[str], Command]) -> None:
    before = signal.signal(HUP, signal.SIG_IGN)  # what is started inherits it
    try:
        command = run("api")
    finally:
        signal.signal(HUP, before)
    command.process.send_signal(HUP)
    assert command.stop(TERM) == 0
    assert command.output.count("stopping") == 1
    assert "SIGTERM" in command.output


@pytest.mark.parametrize(
    ("sent", "is_hurry"),
    [
        ([TERM], False),
        ([HUP], False),
        ([HUP, HUP, HUP], False),
        ([TERM, HUP], False),
        ([HUP, TERM], False),
        ([HUP, INT, HUP], False),
        ([TERM, TERM], True),
        ([INT, TERM], True),
        ([HUP, TERM, INT], True),
        ([TERM, HUP, TERM], True),
    ],
)
def test_only_a_second_wish_to_stop_is_a_hurry(
    sent: list[int], is_hurry: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed terminal may send several SIGHUP, and a service manager one behind SIGTERM."""
    hurried: list[int] = []
    monkeypatch.setattr(os, "_exit", hurried.append)

    async def main(stop: asyncio.Event) -> None:
        for number in sent:
            os.kill(os.getpid(), number)
            await heard()
        assert stop.is_set()

    before = signal.getsignal(HUP)
    try:
        assert run_until_stopped(main) == 0
    finally:
        signal.signal(HUP, before)
    assert hurried == [130] * is_hurry


def test_signals_that_our_parent_blocked_are_heard() -> None:
    """A mask outlives exec."""
    before = signal.getsignal(HUP)
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, [TERM])

    async def main(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), TERM)
        async with asyncio.timeout(LIMIT_S):
            await stop.wait()

    try:
        assert run_until_stopped(main) == 0
    finally:
        signal.signal(HUP, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)


@pytest.mark.parametrize("role", [*ROLES, "migrate"])
def test_the_first_process_of_a_container_ends_by_a_signal_while_it_starts(role: str) -> None:
    """It waits for a database that says nothing; nobody has set a handler for that."""
    alone = ["unshare", "-r", "--pid", "--fork", "--kill-child"]
    if subprocess.run([*alone, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this user may not make processes a room of their own")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(LIMIT_S)
        url = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/d"
        env = os.environ | {"DATABASE_URL": url, "REDIS_URL": "redis://127.0.0.1:1"}
        with subprocess.Popen([*alone, NOTIFY, role], env=env, stderr=subprocess.PIPE) as room:
            try:
                with silent.accept()[0]:
                    children = Path(f"/proc/{room.pid}/task/{room.pid}/children").read_text()
                    os.kill(int(children), TERM)
                    assert room.wait(LIMIT_S) == 128 + TERM
            finally:
                room.kill()


async def heard() -> None:
    """Let the event loop hear of a signal."""
    for _ in range(20):
        await asyncio.sleep(0.005)
