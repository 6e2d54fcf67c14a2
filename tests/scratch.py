"""Where servers of tests keep their data: in memory, if there is plenty of it.

Each test has a database of its own: some hundred files, made and deleted, which is most of what a
run asks of a disk.
"""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

MEMORY = Path("/dev/shm")
ROOM_MIN = 8 * 1024**3  # tables and WAL of all processes of a run


def scratch(prefix: str = "notify-tests-") -> TemporaryDirectory[str]:
    """Make a directory that the servers' account can enter, and that is deleted in the end.

    pytest's tmp_path will not do: if root runs the tests, the servers' account cannot enter it.
    """
    made = TemporaryDirectory(prefix=prefix, dir=MEMORY if is_roomy(MEMORY) else None)
    Path(made.name).chmod(0o711)
    return made


def is_roomy(directory: Path) -> bool:
    """Say whether servers may run there: in many a container it is small, or runs no programs."""
    if not os.access(directory, os.W_OK) or os.statvfs(directory).f_flag & os.ST_NOEXEC:
        return False
    return shutil.disk_usage(directory).free >= ROOM_MIN
