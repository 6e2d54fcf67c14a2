"""Clear what is left after a kill: a server, backends without a server, a stale pid file."""

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGINT, SIGKILL

from service.embedded.child import POLL_S
from service.errors import StartError

STOP_MAX_S = 30.0


def clear_orphans(data: Path) -> None:
    """Stop what still runs on a data directory whose owner is gone, and drop its pid file.

    A clean stop leaves no pid file, and so nothing to do. A server may outlive its owner for a
    moment; a busy backend outlives a killed server, and would keep the next one from starting.
    Raises StartError when something does not end.
    """
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    first = pid_file.read_text(errors="replace").partition("\n")[0]
    pid = int(first) if re.fullmatch("[0-9]{1,9}", first) else 0
    if is_server(pid, data):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, SIGINT)
        wait_while(lambda: is_server(pid, data), f"process {pid} still runs the database in {data}")
    kill_backends(data)
    # Another process may have the number by now: PostgreSQL would take it for a running server.
    pid_file.unlink(missing_ok=True)


def kill_backends(data: Path) -> None:
    """Kill the backends in a data directory whose server is gone. Raises StartError."""
    for backend in backends(data):
        with contextlib.suppress(ProcessLookupError):
            os.kill(backend, SIGKILL)
    wait_while(lambda: backends(data), f"backends of a dead server still use {data}")


def is_server(pid: int, data: Path) -> bool:
    """Return whether this process is a PostgreSQL server of this data directory."""
    words = command_of(pid)
    return words[0].endswith(b"postgres") and os.fsencode(data) in words


def command_of(pid: int) -> list[bytes]:
    """Give the words of a command line; one empty word when the process has ended."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return [b""]
    command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, check=False).stdout.strip().split(b" ")


def backends(data: Path) -> list[int]:
    """Find the processes that work in the data directory, as all of PostgreSQL do (Linux)."""
    pids = []
    for process in Path("/proc").glob("[0-9]*"):
        # It may be gone by now, a zombie, or another user's: then it is not ours.
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink() == data:
                pids.append(int(process.name))
    return pids


def wait_while(condition: Callable[[], object], complaint: str) -> None:
    """Wait until the condition is false. Raises StartError with the complaint after 30 s."""
    deadline = time.monotonic() + STOP_MAX_S
    while condition():
        if time.monotonic() > deadline:
            raise StartError(f"{complaint}: stop it first")
        time.sleep(POLL_S)
