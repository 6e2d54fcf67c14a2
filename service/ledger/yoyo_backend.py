"""Yoyo's backend for our database: `notify migrate` and `yoyo apply` both use it."""

import asyncio
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
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.exceptions import LockTimeout
from yoyo.migrations import MigrationList

from service.config.settings import Settings
from service.errors import Unfit
from service.home import Home
from service.ledger.db import (
    SCHEMA_MISSING,
    check_encoding,
    conninfo,
    is_shared,
    one_line,
    pins_errors,
)
from service.ledger.faults import Fault
from service.ledger.kept_settings import KEEP_SETTINGS, kept
from service.ledger.pins import session_pins
from service.ledger.poolers import shares_sessions
from service.ledger.schema import STRANGERS, functions, tables, views
from service.ledger.yoyo_tables import drop_incomplete

POLL_S = 0.1
CONNECT_TRIES = 10
LOCK_HOLDER = """
select l.pid, a.usename, a.application_name
from pg_catalog.pg_locks l
join pg_catalog.pg_database d on d.oid = l.database and d.datname = current_database()
left join pg_catalog.pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.classid = 1852798057 and l.objid = 3 and l.objsubid = 2
  and l.granted
"""
BODIES = """
select f, p.prosrc from unnest(%s::text[]) as f
join pg_catalog.pg_proc p on p.oid = to_regprocedure('notify.' || f)
"""
# The search_path that other roles get: our session's, unless our role has one of its own.
THEIR_PATH = r"""
select s.reset_val from pg_catalog.pg_settings s
where s.name = 'search_path' and not exists (
  select from pg_catalog.pg_db_role_setting d, pg_catalog.unnest(d.setconfig) as line
  where d.setrole = (select r.oid from pg_catalog.pg_roles r where r.rolname = session_user)
    and line like 'search\_path=%')
"""


class Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]
    """Takes an advisory lock, which ends with its process; yoyo's own lock would stay."""

    path_is = ""  # what keep_path() last returned

    def connect(self, dburi: DatabaseURI) -> psycopg.Connection[Any]:
        """Open a connection in autocommit, named notify-migrate."""
        target = dburi.args.get("conninfo") or make_conninfo(
            host=dburi.hostname,
            port=dburi.port,
            user=dburi.username,
            password=dburi.password,
            dbname=unquote(dburi.database or "") or None,
            **dburi.args,
        )
        return opened(conninfo(target, "notify-migrate"))

    def init_connection(self, connection: psycopg.Connection[Any]) -> None:
        """Keep yoyo's tables in public, whatever the role's name, and do not wait long for locks.

        A role called `notify` would look in the schema of that name first, and miss yoyo's tables.
        A migration that waits for a table makes every later INSERT wait behind it. A statement may
        still take long, as a ledger may be large.
        """
        connection.execute("set search_path = public; set lock_timeout = '5s'")

    def apply_migrations(self, migrations: MigrationList, force: bool = False) -> None:
        """Apply them, and let producers use our table by its short name."""
        super().apply_migrations(migrations, force=force)
        with suppress(*SCHEMA_MISSING):  # only a part of the migrations was asked for
            self.path_is = self.keep_path()

    def rollback_migrations(self, migrations: MigrationList, force: bool = False) -> None:
        """Roll them back; if that would stop half done, exit with one line instead."""
        strangers = [row[0] for row in self.connection.execute(STRANGERS, [tables() + views()])]
        if strangers and any(migration.id.startswith("0001-") for migration in migrations):
            raise SystemExit(
                f"nothing was rolled back: not ours, and in the way: {', '.join(strangers)}"
            )
        super().rollback_migrations(migrations, force=force)

    def keep_path(self) -> str:
        """Let new sessions find our table by its short name; returns what was done."""
        theirs = None
        if "search_path" not in self.connection.info.options:
            theirs = self.connection.execute(THEIR_PATH).fetchone()
        call = "select notify.keep_path(%s)"
        done: str = self.connection.execute(call, theirs or [None]).fetchone()[0]
        return done

    def keep_settings(self, settings: Settings) -> str:
        """Write into the ledger what SQL must know of the settings; returns what was done."""
        done: str = self.connection.execute(KEEP_SETTINGS, kept(settings)).fetchone()[0]
        return done

    def home(self, environment: str | None) -> Home:
        """Say whether the ledger is at home here, for this ENVIRONMENT."""
        call = "select is_home, environment, is_place, is_in_use from notify.home(%s)"
        is_home, declared, is_place, is_in_use = self.connection.execute(
            call, [environment]
        ).fetchone()
        return Home(is_home=is_home, environment=declared, is_place=is_place, is_in_use=is_in_use)

    def faults(self) -> list[Fault]:
        """Say what is missing or in the way, and which functions differ from sql/."""
        try:
            rows = self.connection.execute(
                "select fault, remedy, stops from notify.faults(%s, %s, true)",
                [list(functions()), tables()],
            ).fetchall()
        except SCHEMA_MISSING as error:
            return [Fault(fault=one_line(error), remedy=None, stops=True)]
        return [Fault(fault=f, remedy=r, stops=s) for f, r, s in rows] or self.altered()

    def altered(self) -> list[Fault]:
        """Name the functions whose body is not the one in sql/."""
        bodies = self.connection.execute(BODIES, [list(functions())]).fetchall()
        return [
            Fault(fault=f"notify.{name} is not what was deployed", remedy=None, stops=True)
            for name, body in bodies
            if body.replace("\r\n", "\n") not in functions()[name]
        ]

    def ensure_internal_schema_updated(self) -> None:
        """Drop yoyo's tables if a restore brought only some of them: migrations may run again.

        Raises Unfit where they are another program's as well.
        """
        drop_incomplete(self.connection)
        super().ensure_internal_schema_updated()

    def init_database(self) -> None:
        """Create nothing: yoyo's lock table is not used, and PostgreSQL's DDL is transactional."""

    @contextmanager
    def lock(self, timeout: float = 10) -> Iterator[None]:
        """Hold the advisory lock (1852798057, 3). Raises LockTimeout after `timeout` seconds.

        It is polled: a statement that waits for it would hold a snapshot, and CREATE INDEX
        CONCURRENTLY in the process that migrates would wait for that snapshot.
        """
        end = time.monotonic() + timeout
        while not self.execute("select pg_try_advisory_lock(1852798057, 3)").fetchone()[0]:
            if time.monotonic() > end:
                raise LockTimeout(f"another migration is running: {self.lock_holder()}")
            time.sleep(POLL_S)
        try:
            yield
        finally:
            with suppress(psycopg.OperationalError):  # a lost connection has released it
                self.execute("select pg_advisory_unlock(1852798057, 3)")

    def lock_holder(self) -> str:
        """Say who holds the lock, which any role can take."""
        holder = self.execute(LOCK_HOLDER).fetchone()
        return "pid {}, role {}, application {}".format(*holder) if holder else "it ends just now"

    def break_lock(self) -> None:
        """Do nothing: no lock outlives its process."""

    def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        """Say who migrates. Yoyo asks DNS, which may hang, and the account, which may not exist."""
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
    """Connect to a database that can be migrated. Raises Unfit, with nothing set.

    It tries again, because until we have set our own the database's statement_timeout applies.
    """
    for _ in range(CONNECT_TRIES - 1):
        with suppress(errors.QueryCanceled):
            return opened_once(target)
    return opened_once(target)


def opened_once(target: str) -> psycopg.Connection[Any]:
    """Connect, and set what our statements rely on. Raises Unfit, or QueryCanceled."""
    connection = psycopg.connect(target, autocommit=True)
    try:
        check_encoding(connection.pgconn)
        if not is_shared(connection.pgconn, pin(connection, connection.pgconn.backend_pid)):
            return connection
    except BaseException:
        connection.close()
        raise
    connection.close()  # a small pool may have no other session for shares_sessions()
    if asyncio.run(shares_sessions(target)):
        raise Unfit("a pooler shares its sessions: give DATABASE_DIRECT_URL, which goes past it")
    connection = psycopg.connect(target, autocommit=True)
    pin(connection, pin(connection, connection.pgconn.backend_pid))
    return connection


def pin(connection: psycopg.Connection[Any], pid: int) -> int:
    """Set what our statements rely on, if `pid` is the session's; returns the session's."""
    pins = session_pins(0, pid)
    with pins_errors():
        _, cursor, _ = [connection.execute(pin, prepare=False) for pin in pins]
        return int(cursor.fetchall()[0][0])
