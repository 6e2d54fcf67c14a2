"""A private PostgreSQL: made once, started as a child, behind a password on loopback."""

import re
import subprocess
from pathlib import Path
from signal import SIGINT, SIGQUIT

from service.embedded.account import Account, refuse_roots
from service.embedded.child import Child
from service.embedded.cluster import CATCH_UP, make_cluster, run_alone
from service.embedded.kept import postgres_url
from service.embedded.orphan import clear_orphans
from service.embedded.programs import postgres_programs
from service.embedded.state import State
from service.errors import StartError

READY_MAX_S = 120.0  # after a crash it first replays its log
STOP_MAX_S = 30.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a path longer than 107 bytes would stop the start
    "max_connections": "100",
    "shared_buffers": "256MB",
    "jit": "off",
    "log_checkpoints": "off",
    "log_min_messages": "log",  # no line for a client's error: that is for the client to log
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",  # a DETAIL shows rows, and rows are private
}
# synchronous_commit stays on, so that tests may kill the server and still find what was committed.
FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB"}


class EmbeddedPostgres:
    """The server of one state directory, in `postgres/` there."""

    def __init__(
        self, state: State, account: Account, *, fast: bool = False, programs: Path | None = None
    ) -> None:
        """Prepare. `fast`: a power cut may lose data. `programs`: the bin/ of another build."""
        self._state = state
        self._account = account
        self._home = state.directory / "postgres"
        self._data = self._home / "data"
        self._fast = fast
        self._programs = programs
        self._child: Child | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """A DATABASE_URL."""
        return postgres_url(self._state.password, self.port)

    def launch(self) -> None:
        """Make the cluster if there is none, start it, and do not wait. Raises StartError."""
        self._programs = self._programs or postgres_programs(
            self._account, self._state.directory / "programs"
        )
        self._account.own(self._home)
        if not self._data.exists():
            make_cluster(
                self._programs,
                self._data,
                account=self._account,
                password=self._state.password,
                superuser_password=self._state.superuser_password,
                sync=not self._fast,
            )
            for step in CATCH_UP:
                self._state.note(step)
        refuse_roots(self._account, self._data)
        clear_orphans(self._data)
        if not (self._data / "standby.signal").exists():  # a standby has its primary's passwords
            self._catch_up()
        self.port = self._state.port("postgres")
        settings = SETTINGS | (FAST if self._fast else {}) | {"port": str(self.port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._child = Child(
            "PostgreSQL",
            [self._programs / "postgres", "-D", self._data, *options],
            account=self._account,
            log=self._state.directory / "postgres.log",
            when_orphaned=SIGINT,
        )
        self._child.start()

    def wait_ready(self) -> None:
        """Wait until it takes connections. Raises StartError."""
        assert self._child is not None
        try:
            self._child.wait_until(self._is_ready, timeout_s=READY_MAX_S)
        except StartError:
            self._refuse_other_version()
            raise

    def dead(self) -> str | None:
        """Say in one line why it ended; None while it runs or was never started."""
        return self._child.dead() if self._child else None

    def stop(self) -> None:
        """Stop it: clients are cut off, what is committed is kept."""
        if self._child is not None:
            self._child.stop((SIGINT, STOP_MAX_S), (SIGQUIT, STOP_MAX_S))
            clear_orphans(self._data)

    def _catch_up(self) -> None:
        """Give a cluster of an earlier version what a new one is made with."""
        steps = [step for step in CATCH_UP if not self._state.has(step)]
        if not steps:
            return
        commands = "".join(CATCH_UP[step] for step in steps).format(
            password=self._state.password, superuser_password=self._state.superuser_password
        )
        assert self._programs is not None
        try:
            run_alone(self._programs, self._data, self._account, commands)
        except StartError:
            self._refuse_other_version()
            raise
        for step in steps:
            self._state.note(step)

    def _is_ready(self) -> bool:
        """Read the pid file, as pg_ctl does, so that no other server is taken for ours.

        The directory is in it, with any bytes and line ends; the state is the last line.
        """
        try:
            lines = (self._data / "postmaster.pid").read_bytes().splitlines()
        except OSError:
            return False
        assert self._child is not None
        return bool(lines) and (lines[0], lines[-1].strip()) == (b"%d" % self._child.pid, b"ready")

    def _refuse_other_version(self) -> None:
        assert self._programs is not None
        made_by = (self._data / "PG_VERSION").read_text().strip()
        command = (self._programs / "postgres", "--version")
        version = subprocess.run(command, capture_output=True, text=True, check=False)
        ours = re.search(r"\d+", version.stdout)
        if ours and ours[0] != made_by:
            raise StartError(
                f"{self._data} was made by PostgreSQL {made_by}, and this is {ours[0]}: move the"
                " data with pg_dump, or give another directory by --state or NOTIFY_STATE"
            )
