"""The state directory: it has one owner at a time, and keeps what must survive a restart."""

import base64
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from service.embedded.kept import read_kept
from service.embedded.lock import lock
from service.embedded.ports import free_port, is_free
from service.errors import StartError

# Kept for a database, and never for a Valkey alone; a cluster of an earlier version has the port.
OF_DATABASE = frozenset({"superuser_password", "postgres_port"})


def default_state() -> Path:
    """Name the state directory that is used when none is set: the XDG state home.

    For root /var/lib/notify, because the servers' account cannot enter root's home. Raises
    StartError for a user without a home.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/notify")
    state_home = Path(os.environ.get("XDG_STATE_HOME", ""))
    if state_home.is_absolute():
        return state_home / "notify"
    try:
        return Path.home() / ".local" / "state" / "notify"
    except RuntimeError:
        raise StartError("no home directory: say where by --state or NOTIFY_STATE") from None


class State:
    """An open state directory: ours alone until close(), or until this process ends in any way."""

    def __init__(self, directory: Path, *, postgres: bool = True) -> None:
        """Make the directory if need be, and lock it. `postgres`: its database is wanted.

        Raises StartError, also while another process has it open.
        """
        self.directory = directory.absolute().resolve()
        try:
            make(self.directory)
            self._lock = lock(self.directory / "lock")
        except OSError as error:
            raise StartError(
                f"state directory {self.directory}: {error.strerror} ({error.filename}):"
                " give another one by --state or NOTIFY_STATE"
            ) from error
        self._file = self.directory / "kept.json"
        try:
            self._kept = self._read()
            if postgres:
                self._refuse_lost()
        except StartError:
            self.close()
            raise

    @property
    def password(self) -> str:
        """The password of both servers; made of letters, digits, `-` and `_`."""
        return self._keep("password", new_password)

    @property
    def superuser_password(self) -> str:
        """The password of PostgreSQL's superuser, which is printed nowhere."""
        return self._keep("superuser_password", new_password)

    def has(self, step: str) -> bool:
        """Return whether the cluster has this step of CATCH_UP, or was made with it."""
        return step in self._kept

    def note(self, step: str) -> None:
        """Remember that the cluster has this step."""
        self._keep(step, lambda: "yes")

    @property
    def webhook_secret(self) -> str:
        """A secret for signing webhooks, as Standard Webhooks writes it: `whsec_` and base64."""
        return self._keep("webhook_secret", new_webhook_secret)

    def port(self, server: str) -> int:
        """Give this server's port on 127.0.0.1: the one it had, or a new one if that is taken."""
        port = self.last_port(server)
        if port is None or not is_free(port):
            port = free_port()
            self._kept[f"{server}_port"] = str(port)
            self._write()
        return port

    def last_port(self, server: str) -> int | None:
        """Give the port this server had last, taken or not."""
        kept = self._kept.get(f"{server}_port")
        return int(kept) if kept else None

    def close(self) -> None:
        """Unlock the directory for the next owner."""
        self._lock.close()

    def _keep(self, name: str, make: Callable[[], str]) -> str:
        if name not in self._kept:
            self._kept[name] = make()
            self._write()
        return self._kept[name]

    def _read(self) -> dict[str, str]:
        try:
            return read_kept(self._file)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StartError(f"cannot read {self._file}: {error}") from error
        except ValueError as error:
            raise StartError(
                f"{self._file} is damaged: restore it from a backup of its directory,"
                " or move that directory away"
            ) from error

    def _refuse_lost(self) -> None:
        """Refuse to make secrets anew beside a database, which has those that were kept."""
        if "password" in self._kept and not OF_DATABASE.isdisjoint(self._kept):
            return
        if (self.directory / "postgres" / "data").exists():
            fault = "incomplete" if self._file.exists() else "missing"
            raise StartError(
                f"{self._file} is {fault} beside a database, which has the passwords in it: restore"
                " it from a backup of its directory, or move that directory away"
            )

    def _write(self) -> None:
        draft = self._file.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self._kept, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._file)


def make(directory: Path) -> None:
    """Make a directory and its missing parents, whatever the umask; others may pass root's."""
    mode = 0o711 if os.geteuid() == 0 else 0o700
    for step in (*reversed(directory.parents), directory):
        if not step.exists():
            step.mkdir()
            step.chmod(mode)


def new_password() -> str:
    """Make a password that needs no escapes anywhere."""
    return secrets.token_urlsafe(24)


def new_webhook_secret() -> str:
    """Make a secret for signing webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
