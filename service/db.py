"""How our processes reach PostgreSQL: one place for timeouts, keepalives, names and errors."""

import asyncio
import math
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from ipaddress import ip_address
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo, PGconn, TransactionStatus
from psycopg.rows import class_row
from psycopg.waiting import wait_async
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from service.errors import DatabaseAway, Refused, TookTooLong
from service.model import LockHolder, PoolStats

# A host that vanishes without a FIN would hold its session locks for two hours with the kernel's
# defaults; both ends look every 20 s instead. What the database or the role has set for others
# changes neither how we read an answer (times in UTC) nor what our statements mean.
SERVER_OPTIONS = (
    "-c tcp_keepalives_idle=20 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=15000 -c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres"
    " -c array_nulls=on -c extra_float_digits=1 -c default_transaction_isolation=read\\ committed"
)

# A proxy that lost its server without a FIN may acknowledge what we send for ever, and TCP sees
# nothing wrong. More than the statement_timeout: a slow answer is the server's to refuse.
ANSWER_MAX_S = 4.0

BELL, LEAD = 1, 2  # our advisory locks, behind 1852798057

STATEMENT_TIMEOUT_S = 3.5  # of a pool's connections
DRAIN_PAUSE_S = 1.0

NOWHERE = "/nonexistent"
COUNTS = (
    "connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
    "tcp_user_timeout", "port",
)  # fmt: skip

SCHEMA_MISSING = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.InvalidSchemaName,
)
NOT_THE_ROWS = ("08", "25", "40", "42", "53", "55", "57", "58", "XX")  # classes of SQLSTATE
AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,  # read-only after a failover, among others
    psycopg.errors.InsufficientPrivilege,  # its owner has to grant something
    PoolTimeout,
    TooManyRequests,
)


def conninfo(url: str, role: str, *, statement_timeout_s: float | None = None) -> str:
    """Complete a DATABASE_URL; what the URL itself says wins.

    `role` becomes the application_name (at most 16 characters, as pg_activity shows no more):
    notify-api, notify-disp, notify-work, notify-maint.
    """
    options = SERVER_OPTIONS
    if statement_timeout_s is not None:
        options += f" -c statement_timeout={int(statement_timeout_s * 1000)}"
    defaults = {
        "application_name": role,
        "connect_timeout": "5",
        "keepalives_idle": "20",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": "15000",
        "options": options,
        "client_encoding": "UTF8",
    }
    return make_conninfo(url, **{k: v for k, v in defaults.items() if f"{k}=" not in url})


def is_readable(url: str) -> bool:
    """Say whether libpq can read a URL, each parameter too. Its errors quote what it cannot.

    It looks at most of them only when it connects: here to a socket that is not there.
    """
    try:
        given = {key: str(value) for key, value in conninfo_to_dict(url).items()}
        counts = ",".join(given.get(key, "") for key in COUNTS)
        if not re.fullmatch(r"[-0-9,]*", counts) or not are_addresses(given.get("hostaddr", "")):
            return False
        for place in ("host", "hostaddr", "port"):
            given.pop(place, None)
        attempt = PGconn.connect_start(make_conninfo(**given, host=NOWHERE).encode())
    except (psycopg.Error, UnicodeError):  # %ff in a password is no UTF-8
        return False
    try:
        return NOWHERE in attempt.get_error_message()
    finally:
        attempt.finish()


def are_addresses(text: str) -> bool:
    """Say whether all are addresses that stand between the commas, or nothing."""
    try:
        return all(ip_address(part) for part in text.split(",") if part)
    except ValueError:
        return False


def libpq_environment(url: str) -> dict[str, str]:
    """Say a URL in libpq's environment variables (PGHOST and so on)."""
    names = {
        default.keyword.decode(): default.envvar.decode()
        for default in Conninfo.get_defaults()
        if default.envvar
    }
    return {names[key]: str(value) for key, value in conninfo_to_dict(url).items() if key in names}


class Silent(psycopg.OperationalError):
    """No answer came in time: the connection may be dead, and nothing told so."""


class Connection(psycopg.AsyncConnection[Any]):
    """Waits no longer than ANSWER_MAX_S for an answer; then it raises Silent, and is closed."""

    async def wait(  # psycopg waits here for everything that it has asked
        self,
        gen: Any,
        interval: float = 0.1,
        timeout: float | None = None,  # noqa: ASYNC109 - psycopg's
    ) -> Any:
        if timeout is not None:
            return await super().wait(gen, interval, timeout)
        try:
            return await wait_async(gen, self.pgconn.socket, interval, ANSWER_MAX_S)
        except psycopg.OperationalError as error:
            if self.give_up():
                raise Silent(str(error)) from error
            raise
        except asyncio.CancelledError:
            self.give_up()
            raise

    def give_up(self) -> bool:
        """Close, if an answer is missing; says whether one was.

        psycopg would ask the server to cancel first, for up to 10 s if that is as silent.
        """
        waits = self.pgconn.transaction_status == TransactionStatus.ACTIVE
        if waits:
            self.pgconn.finish()
        return waits


class Pool:
    """Connections that are lent out; those that nobody can trust any more are replaced."""

    def __init__(self, url: str, role: str, connections_max: int) -> None:
        self._pool = AsyncConnectionPool(
            conninfo(url, role, statement_timeout_s=STATEMENT_TIMEOUT_S),
            min_size=1,
            max_size=connections_max,
            kwargs={"autocommit": True, "prepare_threshold": 0},
            timeout=2,  # a request waits no longer for a connection
            # Its waits double: with more, an outage of 16 s was followed by 14 s of them. Then the
            # next caller asks for a connection, and begins anew.
            reconnect_timeout=2,
            max_waiting=1000,
            connection_class=Connection,
            open=False,
        )
        self._drained_at = -math.inf

    async def open(self) -> None:
        """Begin to connect, in the background."""
        await self._pool.open()

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    def stats(self) -> PoolStats:
        """Say how it stands. Any thread may ask."""
        stats = self._pool.get_stats()
        idle = stats["pool_available"]
        return PoolStats(
            idle=idle,
            used=stats["pool_size"] - idle,
            waiting=stats["requests_waiting"],
            waited_s=stats.get("requests_wait_ms", 0) / 1000,
            timeouts=stats.get("requests_errors", 0),
        )

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection, and translate its errors.

        One that is dead in silence, or that a failover has left read-only, has company: all are
        replaced, or each would cost a caller its time. Not more often than each second.
        """
        with translated():
            async with self._pool.connection() as conn:
                try:
                    yield conn
                except (Silent, psycopg.errors.ReadOnlySqlTransaction):
                    if time.monotonic() - self._drained_at > DRAIN_PAUSE_S:
                        self._drained_at = time.monotonic()
                        await self._pool.drain()
                    raise


async def lock_holder(conn: Connection, lock: int) -> LockHolder | None:
    """Say who holds BELL or LEAD, of those who may be a stranger; None: nobody does."""
    cursor = conn.cursor(row_factory=class_row(LockHolder))
    await cursor.execute("select * from notify.lock_holder(%s)", [lock])
    return await cursor.fetchone()


async def connect(url: str, role: str) -> Connection:
    """Open one direct connection, for LISTEN or session locks. Raises DatabaseAway."""
    with translated():
        return await Connection.connect(conninfo(url, role), autocommit=True)


@contextmanager
def translated() -> Iterator[None]:
    """Turn psycopg's errors into ours: DatabaseAway (try later) or Refused (the row is wrong).

    A plain `raise exception` is somebody's own trigger that refuses a row.
    """
    try:
        yield
    except (psycopg.IntegrityError, psycopg.DataError, psycopg.errors.RaiseException) as error:
        diag = error.diag
        raise Refused(
            diag.message_primary or str(error),
            constraint=diag.constraint_name or "",
            column=diag.column_name or "",
            hint=diag.message_hint or "",
        ) from error
    except psycopg.errors.QueryCanceled as error:
        raise TookTooLong(one_line(error)) from error
    except SCHEMA_MISSING as error:
        raise DatabaseAway("the schema is missing or old: run notify migrate") from error
    except AWAY as error:
        raise DatabaseAway(one_line(error)) from error


def is_not_the_rows(sqlstate: str) -> bool:
    """Say whether an error that a row met is the server's, or of SQL that is wrong for any row.

    A trigger that asks for a table which is not there (42P01) is its owner's to mend: the client
    may try again. Permissions (42501) may be about the row.
    """
    return sqlstate.startswith(NOT_THE_ROWS) and sqlstate != "42501"


def one_line(error: Exception) -> str:
    """Give the first line of a driver's error, which has no values of rows in it."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
