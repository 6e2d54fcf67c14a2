"""The account that the embedded servers run as: ours, or one without rights when we are root."""

import os
import pwd
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from service.errors import StartError

UNPRIVILEGED = ("postgres", "nobody")


class Credentials(TypedDict, total=False):
    """The arguments of Popen that change the account."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user and its group, by number."""

    uid: int
    gid: int

    @property
    def credentials(self) -> Credentials:
        """What Popen needs to become this account; nothing if we are it."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, directory: Path) -> None:
        """Make a directory of this account that nobody else can enter."""
        directory.mkdir(mode=0o700, exist_ok=True)
        os.chown(directory, self.uid, self.gid)

    def barrier(self, directory: Path) -> Path | None:
        """Find the first directory on the path that this account cannot enter, if any."""
        steps = (*reversed(directory.parents), directory)
        return next((step for step in steps if not self._may_enter(step)), None)

    def _may_enter(self, directory: Path) -> bool:
        if self.uid == os.geteuid():  # the kernel knows our other groups, and access lists
            return os.access(directory, os.X_OK, effective_ids=True)
        status = directory.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def servers_account(data: Path) -> Account:
    """Choose who runs the servers: ourselves; as root the owner of `data`, else one without rights.

    `data` is the directory of the database, which need not be there yet. Raises StartError.
    """
    if os.geteuid() != 0:
        return Account(uid=os.geteuid(), gid=os.getegid())
    if data.exists() and data.stat().st_uid != 0:
        return Account(uid=data.stat().st_uid, gid=data.stat().st_gid)
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(uid=entry.pw_uid, gid=entry.pw_gid)
    raise StartError(
        f"PostgreSQL refuses to run as root, and there is no account {' or '.join(UNPRIVILEGED)}:"
        " add one, start as another user, or set DATABASE_URL and REDIS_URL"
    )


def refuse_roots(account: Account, data: Path) -> None:
    """Refuse data that root owns and the servers' account must: `cp -r` by root makes such copies.

    We do not give it away ourselves: as root, in a directory of an account without rights, we
    could be led to files of others. Raises StartError.
    """
    if account.credentials and data.stat().st_uid != account.uid:
        name, home = pwd.getpwuid(account.uid).pw_name, shlex.quote(str(data.parent))
        raise StartError(
            f"{data} belongs to root, as a copy by root does, and the servers do not run as root:"
            f" chown -R {name}: {home}"
        )


def let_in(account: Account, directory: Path) -> None:
    """Let the account reach what it owns in the state directory.

    Only the directory itself is opened (to enter, not to list), never its parents: they are not
    ours.
    Raises StartError when a parent is in the way.
    """
    if account.barrier(directory) == directory:
        directory.chmod(stat.S_IMODE(directory.stat().st_mode) | 0o011)
    if barrier := account.barrier(directory):
        raise StartError(
            f"state directory {directory}: the servers do not run as root, and their account cannot"
            f" enter {barrier}: give another one by --state or NOTIFY_STATE"
        )
