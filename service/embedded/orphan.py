"""What a killed owner left behind: a PostgreSQL that still runs, or a pid file that lies."""

import contextlib
import os
import subprocess
import time
from pathlib import Path
from signal import SIGINT

from service.embedded.child import POLL_S
from service.errors import StartError

STOP_MAX_S = 30.0


def stop_orphan(data: Path) -> None:
    """Stop a server that a killed owner left behind; drop a pid file with a stranger's number.

    A number that nobody has is left alone: PostgreSQL itself then makes sure that no backend of the
    dead server still holds the shared memory. Raises StartError when the old server does not stop.
    """
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
        command = command_of(pid)
    except (FileNotFoundError, ValueError):
        return
    if command is None:
        return
    if os.fsencode(data) not in command or not command[0].endswith(b"postgres"):
        pid_file.unlink()
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, SIGINT)
    deadline = time.monotonic() + STOP_MAX_S
    while command_of(pid) == command:
        if time.monotonic() > deadline:
            raise StartError(f"process {pid} still runs the database in {data}: stop it first")
        time.sleep(POLL_S)


def command_of(pid: int) -> list[bytes] | None:
    """Give the command line of a living process; None when there is none."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        except OSError:
            return None
    command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    told = subprocess.run(command, capture_output=True, check=False)
    return told.stdout.strip().split() or None
