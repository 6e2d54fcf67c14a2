"""Bring a database to the current schema: what `yoyo apply` does, for programs.

`yoyo apply` comes through the same Backend (pyproject.toml, entry points), so the two may run at
once, on any number of machines, and after a kill -9.
"""

import asyncio
import glob
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import psycopg
from psycopg import errors
from psycopg.conninfo import make_conninfo
from yoyo import read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.exceptions import LockTimeout
from yoyo.migrations import default_migration_table

from service.db import POOLER_REFUSES, check_encoding, conninfo, is_shared, one_line, pins_errors
from service.errors import DatabaseAway, StartError, Unfit
from service.pins import session_pins
from service.poolers import shares_sessions
from service.schema import schema_root

OLDEST_SERVER = 15
POLL_S = 0.1
AWAY = ("08", "57P")  # of the errors that psycopg calls operational, those that are no answer
HOLDER = """
select l.pid, a.usename, a.application_name
from pg_catalog.pg_locks l
join pg_catalog.pg_database d on d.oid = l.database and d.datname = current_database()
left join pg_catalog.pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.classid = 1852798057 and l.objid = 3 and l.objsubid = 2
  and l.granted
"""


def migrate(url: str, *, wait_s: float = 60) -> list[str]:
    """Apply what is missing and return its names in order; [] when the database was current.

    `url` is a postgresql:// URL, and a direct one: a transaction pooler breaks the lock. `wait_s`
    is how long another migration may take. Raises DatabaseAway when the server cannot be reached,
    StartError when it is too old or refuses; earlier migrations of the same call then stay applied.
    """
    with start_errors(), Backend(whole(url), default_migration_table) as backend:
        check_version(backend.connection.info.server_version)
        with backend.lock(wait_s):
            found = read_migrations(glob.escape(str(schema_root() / "migrations")))
            missing = backend.to_apply(found)
            backend.apply_migrations(missing)
            return [migration.id for migration in missing]


class Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]
    """Yoyo's backend under an advisory lock, which ends with its process; yoyo's own would stay."""

    def connect(self, dburi: DatabaseURI) -> psycopg.Connection[Any]:
        """Open a connection in autocommit, named notify-migrate."""
        given = dburi.args.get("conninfo") or make_conninfo(
            host=dburi.hostname,
            port=dburi.port,
            user=dburi.username,
            password=dburi.password,
            dbname=unquote(dburi.database or "") or None,
            **dburi.args,
        )
        return opened(conninfo(given, "notify-migrate"))

    def init_connection(self, connection: psycopg.Connection[Any]) -> None:
        """Keep yoyo's tables in public, whatever the role's name is, and do not wait long.

        The role `notify` would find its schema of that name first, and yoyo's tables missing in it.
        A migration that waits for a table makes every later INSERT wait behind it. A statement may
        take long: a ledger may be large.
        """
        connection.execute("set search_path = public; set lock_timeout = '5s'")

    def init_database(self) -> None:
        """Create nothing: yoyo's lock table is not used, and PostgreSQL's DDL is transactional."""

    @contextmanager
    def lock(self, timeout: float = 10) -> Iterator[None]:
        """Hold the advisory lock (1852798057, 3). Raises LockTimeout after `timeout` seconds.

        Polled and never waited for inside a statement: that would hold a snapshot, and
        CREATE INDEX CONCURRENTLY in the process that migrates waits for snapshots.
        """
        end = time.monotonic() + timeout
        while not self.execute("select pg_try_advisory_lock(1852798057, 3)").fetchone()[0]:
            if time.monotonic() > end:
                raise LockTimeout(f"another migration is running: {self.lock_holder()}")
            time.sleep(POLL_S)
        try:
            yield
        finally:
            with suppress(psycopg.OperationalError):  # a lost connection has let go already
                self.execute("select pg_advisory_unlock(1852798057, 3)")

    def lock_holder(self) -> str:
        """Say who holds the lock: any role can."""
        found = self.execute(HOLDER).fetchone()
        return "pid {}, role {}, application {}".format(*found) if found else "it ends just now"

    def break_lock(self) -> None:
        """Do nothing: no lock outlives its process."""

    def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        """Say who migrates. Yoyo asks DNS, which may hang, and the user's name, which may lack."""
        now = datetime.now(UTC).replace(tzinfo=None)
        return {
            "id": str(uuid4()),
            "migration_id": migration.id if migration else None,
            "migration_hash": migration.hash if migration else None,
            "username": self.connection.info.user,
            "hostname": socket.gethostname(),
            "created_at_utc": now,
            "operation": operation,
        }


def opened(target: str) -> psycopg.Connection[Any]:
    """Connect to a database that can be migrated. Raises Unfit, with nothing set."""
    connection = psycopg.connect(target, autocommit=True)
    try:
        check_encoding(connection.pgconn)
        if not is_shared(connection.pgconn, pin(connection, connection.pgconn.backend_pid)):
            return connection
    except BaseException:
        connection.close()
        raise
    connection.close()  # a small pool may have no session left for those that look
    if asyncio.run(shares_sessions(target)):
        raise Unfit("a pooler shares its sessions: give DATABASE_DIRECT_URL, which goes past it")
    connection = psycopg.connect(target, autocommit=True)
    pin(connection, pin(connection, connection.pgconn.backend_pid))
    return connection


def pin(connection: psycopg.Connection[Any], pid: int) -> int:
    """Set what our statements rely on, if this is the session's process id, which it gives."""
    pins = session_pins(0, pid)
    with pins_errors():
        _, cursor, _ = [connection.execute(pin, prepare=False) for pin in pins]
        return int(cursor.fetchall()[0][0])


def whole(url: str) -> DatabaseURI:
    """Wrap a URL so that libpq parses it: yoyo's parser knows neither several hosts nor sockets."""
    return DatabaseURI("postgresql", None, None, None, None, None, {"conninfo": url})


def check_version(number: int) -> None:
    """Refuse a server that lacks what the schema needs. Raises StartError."""
    if number < OLDEST_SERVER * 10000:
        raise StartError(
            f"PostgreSQL {number // 10000} is too old: {OLDEST_SERVER} or newer is needed"
        )


@contextmanager
def start_errors() -> Iterator[None]:
    """Turn what psycopg and yoyo raise into one line for a terminal."""
    try:
        yield
    except Unfit as error:
        raise StartError(f"not migrated: {error}") from error
    except LockTimeout as error:
        raise StartError(f"not migrated: {error}; try again when it is done") from error
    except errors.InsufficientPrivilege as error:
        raise StartError(
            f"not migrated: {one_line(error)}; DATABASE_URL must name the database's owner"
        ) from error
    except errors.LockNotAvailable as error:
        raise StartError(
            "not migrated: a long transaction holds a table; try again when it has ended"
        ) from error
    except psycopg.OperationalError as error:
        if POOLER_REFUSES.search(str(error)):
            raise StartError(f"not migrated: {one_line(error)}") from error
        if error.sqlstate and not error.sqlstate.startswith(AWAY):
            raise StartError(f"not migrated: {one_line(error)}; try again") from error
        raise DatabaseAway(f"PostgreSQL cannot be reached: {one_line(error)}") from error
    except psycopg.Error as error:
        raise StartError(f"not migrated: {one_line(error)}") from error
