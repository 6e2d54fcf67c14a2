"""A server as a child process."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest

from service.embedded.account import Account
from service.embedded.child import Child

# A process of its own: a signal goes to any thread of a process, and only one lets it wait.
INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from service.embedded import child
from service.embedded.account import Account

number = signal.Signals[sys.argv[1]]

def stop(*_):
    raise KeyboardInterrupt

signal.signal(number, stop)
child.die_with_us = lambda _: lambda: os.kill(os.getppid(), number)
sleeper = child.Child(
    "sleep", ["/bin/sleep", "60"], account=Account(uid=os.geteuid(), gid=os.getegid()),
    log=Path(sys.argv[2]), when_orphaned=signal.SIGKILL,
)
try:
    sleeper.start()
except KeyboardInterrupt:
    print("interrupted")
sleeper.stop((signal.SIGTERM, 60))
print(sleeper.dead())
"""


def sleeper(directory: Path, *command: str) -> Child:
    return Child(
        "sleep",
        command or ["/bin/sleep", "60"],
        account=Account(uid=os.geteuid(), gid=os.getegid()),
        log=directory / "log",
        when_orphaned=SIGKILL,
    )


@pytest.mark.parametrize("number", ["SIGHUP", "SIGINT", "SIGTERM"])
def test_a_signal_in_a_fork_leaves_a_child_that_can_be_stopped(tmp_path: Path, number: str) -> None:
    log = str(tmp_path / "log")
    run = [sys.executable, "-c", INTERRUPTED, number, log]
    said = subprocess.run(run, capture_output=True, text=True, check=False)
    assert said.stdout == f"interrupted\nsleep was killed by SIGTERM: it left no word (see {log})\n"
    assert (said.stderr, said.returncode) == ("", 0)


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
