"""A PgBouncer of a test's own, with nothing in its configuration but where to go, and its size.

TEST_PGBOUNCER is the program of another one than Debian's.
"""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict

from service.embedded.account import servers_account
from tests.waiting import wait_for

DEBIANS = "/usr/sbin/pgbouncer"  # not on everybody's path
PROGRAM = os.environ.get("TEST_PGBOUNCER") or shutil.which("pgbouncer") or DEBIANS
CONFIGURATION = """
[databases]
* = host={host} port={port} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = any
pool_mode = {pool_mode}
default_pool_size = {pool_size}
{more}
"""


class PgBouncer:
    """A pooler in front of a server; `url` leads through it to the same database."""

    def __init__(
        self, dsn: str, directory: Path, *, pool_mode: str, pool_size: int = 2, more: str = ""
    ) -> None:
        there = conninfo_to_dict(dsn)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._account = servers_account(directory)
        self._file = directory / f"pgbouncer-{port}.ini"
        self._file.write_text(
            CONFIGURATION.format(
                host=there["host"], port=there["port"], user=there["user"],
                password=there.get("password", ""), own_port=port, pool_mode=pool_mode,
                pool_size=pool_size, more=more,
            )
        )  # fmt: skip
        self._file.chmod(0o644)
        self.url = f"postgresql://{there['user']}@127.0.0.1:{port}/{there['dbname']}"

    def __enter__(self) -> Self:
        with self._file.with_suffix(".log").open("wb") as log:
            self._process = subprocess.Popen(
                [PROGRAM, self._file], stdout=log, stderr=log,
                **self._account.credentials,
            )  # fmt: skip
        wait_for(self._answers)
        return self

    def __exit__(self, *_: Any) -> None:
        self._process.terminate()
        self._process.wait(10)

    @property
    def log(self) -> str:
        """What it has said."""
        return self._file.with_suffix(".log").read_text()

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.log
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True
