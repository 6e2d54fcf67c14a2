"""A small volume for the tables, so that a disk can be full: a tmpfs, which root may mount."""

import subprocess
from pathlib import Path

from service.embedded.account import Account

SIZE_MB = 512  # more than a run of minutes writes
CHUNK = bytes(1 << 20)


class Volume:
    """A mounted tmpfs with a directory of PostgreSQL's account in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ballast = directory / "ballast"

    @property
    def tables(self) -> Path:
        """Where a tablespace goes."""
        return self.directory / "tables"

    def mount(self, account: Account) -> bool:
        """Mount it; False: we may not."""
        self.directory.mkdir()
        options = ["-o", f"size={SIZE_MB}m,mode=0711"]
        done = subprocess.run(
            ["mount", "-t", "tmpfs", *options, "tmpfs", self.directory],
            check=False,
            capture_output=True,
        )
        if done.returncode:
            return False
        account.own(self.tables)
        return True

    def fill(self) -> None:
        """Leave not a byte."""
        with self.ballast.open("wb", buffering=0) as ballast:
            try:
                while ballast.write(CHUNK):
                    pass
            except OSError:  # ENOSPC: that is the aim
                return

    def empty(self) -> None:
        """Give the room back."""
        self.ballast.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Unmount it; nobody uses it any more."""
        subprocess.run(["umount", self.directory], check=True)
