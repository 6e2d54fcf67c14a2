"""The lock file of a state directory: one owner at a time, whose process id is in it."""

import fcntl
import os
import time
from pathlib import Path
from typing import IO

from service.errors import StartError

# An owner may be killed while it forks: until its exec, the new child still holds the lock.
DEAD_OWNER_S = 2.0


def lock(path: Path) -> IO[str]:
    """Lock the file, and write our pid into it. The kernel unlocks it when we end.

    Raises StartError when another process holds it.
    """
    path.touch(mode=0o600)
    file = path.open("r+")
    end = time.monotonic() + DEAD_OWNER_S
    while not locked(file):
        holder = path.read_text().strip()
        if is_running(holder) or time.monotonic() > end:
            file.close()
            raise StartError(
                f"state directory {path.parent} is in use by process {holder or '(unknown)'}:"
                " stop that one, or give another directory by --state or NOTIFY_STATE"
            )
        time.sleep(0.02)
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def locked(file: IO[str]) -> bool:
    """Try to lock the file."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_running(pid: str) -> bool:
    """Return whether a process with this number exists."""
    try:
        os.kill(int(pid), 0)
    except (ValueError, OverflowError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True
