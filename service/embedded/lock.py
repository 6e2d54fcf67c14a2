"""The lock file of a state directory: one owner at a time, whose process id is in it."""

import fcntl
import os
import time
from pathlib import Path
from typing import IO

from service.errors import StartError

# Whoever asks for the holder shares the lock for an instant, in which nobody else can have it.
ASKED_S = 0.1
# An owner may be killed while it forks: until its exec, the new child still holds the lock.
DEAD_OWNER_S = 2.0


def lock(path: Path) -> IO[str]:
    """Lock the file, and write our pid into it. The kernel unlocks it when we end.

    Raises StartError when another process holds it.
    """
    path.touch(mode=0o600)
    file = path.open("r+")
    begun = time.monotonic()
    while not locked(file, fcntl.LOCK_EX):
        pid = path.read_text().strip()
        if time.monotonic() - begun > (ASKED_S if is_running(pid) else DEAD_OWNER_S):
            file.close()
            raise StartError(
                f"state directory {path.parent} is in use by process {pid or '(unknown)'}:"
                " stop that one, or give another directory by --state or NOTIFY_STATE"
            )
        time.sleep(0.02)
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def holder(path: Path) -> str | None:
    """Give the pid that the holder of the lock wrote, "" if it has not yet; None: nobody holds it.

    The pid alone says nothing: its process may be gone and the number another's, or the file a
    copy. Raises OSError, also where there is no file.
    """
    with path.open() as file:
        return None if locked(file, fcntl.LOCK_SH) else file.read().strip()


def locked(file: IO[str], kind: int) -> bool:
    """Try to lock the file, for us alone or shared."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
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
