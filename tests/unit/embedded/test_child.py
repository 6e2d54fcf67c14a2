"""A server as a child process."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM, Signals

import pytest

from service.embedded import child as module
from service.embedded.account import Account
from service.embedded.child import Child


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Signals], None]]:
    """Let a signal come in the middle of a fork, and raise KeyboardInterrupt."""
    handlers = {number: signal.getsignal(number) for number in (SIGHUP, SIGINT, SIGTERM)}

    def at_fork(number: Signals) -> None:
        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        signal.signal(number, stop)
        monkeypatch.setattr(module, "die_with_us", lambda _: lambda: os.kill(os.getppid(), number))

    yield at_fork
    for number, handler in handlers.items():
        signal.signal(number, handler)


def sleeper(directory: Path, *command: str) -> Child:
    return Child(
        "sleep",
        command or ["/bin/sleep", "60"],
        account=Account(uid=os.geteuid(), gid=os.getegid()),
        log=directory / "log",
        when_orphaned=SIGKILL,
    )


@pytest.mark.parametrize("number", [SIGHUP, SIGINT, SIGTERM], ids=lambda number: number.name)
def test_a_signal_in_a_fork_leaves_a_child_that_can_be_stopped(
    tmp_path: Path, interrupted: Callable[[Signals], None], number: Signals
) -> None:
    interrupted(number)
    child = sleeper(tmp_path)

    with pytest.raises(KeyboardInterrupt):
        child.start()
    child.stop((SIGTERM, 60))

    assert child.dead() == f"sleep was killed by SIGTERM: it left no word (see {tmp_path / 'log'})"


def test_no_signal_waits_in_the_program_nor_after_it_started(tmp_path: Path) -> None:
    shows = sleeper(tmp_path, "/bin/grep", "SigBlk", "/proc/self/status")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    shows.start()
    shows.wait_until(lambda: shows.dead() is not None, timeout_s=60)

    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert shows.last_words() == "SigBlk:\t0000000000000000"


def test_what_never_started_is_neither_dead_nor_to_be_stopped(tmp_path: Path) -> None:
    child = sleeper(tmp_path)

    child.stop((SIGTERM, 60))

    assert child.dead() is None
    assert child.pid == 0
