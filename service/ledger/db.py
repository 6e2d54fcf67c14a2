"""How our processes reach PostgreSQL: one place for timeouts, keepalives, names and errors."""

import asyncio
import math
import re
import select
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from ipaddress import ip_address
from typing import Any, ClassVar, Self

import psycopg
from psycopg._pipeline_base import BasePipeline
from psycopg.abc import AdaptContext, PQGen
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo, PGconn, TransactionStatus
from psycopg.pq.abc import PGconn as AnyPGconn
from psycopg.rows import class_row
from psycopg.types.datetime import DateLoader, IntervalLoader, TimestampLoader, TimestamptzLoader
from psycopg.waiting import wait_async
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from service.errors import DatabaseAway, Refused, TookTooLong, Unfit
from service.ledger.pins import PINS, session_pins, transaction_pins
from service.model import LockHolder, PoolStats

# A proxy that lost its server without a FIN may acknowledge what we send for ever, and TCP sees
# nothing wrong. More than the statement_timeout: a slow answer is the server's to refuse.
ANSWER_MAX_S = 4.0

STATEMENT_TIMEOUT_S = 3.5
CANCEL_MAX_S = 1.0

BELL, LEAD = 1, 2  # our advisory locks, behind 1852798057

# What a URL may say otherwise. PGOPTIONS is not read: a pooler refuses what it would add.
DEFAULTS = {
    "connect_timeout": "5",
    "keepalives_idle": "20",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "options": "",
}

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
WITH_STYLE: dict[str, type[Loader]] = {
    "date": DateLoader,
    "interval": IntervalLoader,
    "timestamp": TimestampLoader,
    "timestamptz": TimestamptzLoader,
}
# PgBouncer's words, which it speaks in no other language; the second where it pools by statement.
POOLER_REFUSES = re.compile("unsupported startup parameter|transaction blocks not allowed")
NOT_THE_ROWS = ("08", "25", "40", "42", "53", "55", "57", "58", "XX")  # classes of SQLSTATE
AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,  # read-only after a failover, among others
    psycopg.errors.InsufficientPrivilege,  # its owner has to grant something
    PoolTimeout,
    TooManyRequests,
)


def conninfo(url: str, role: str) -> str:
    """Complete a DATABASE_URL; what the URL itself says wins, but for the encoding.

    `role` becomes the application_name (at most 16 characters, as pg_activity shows no more):
    notify-api, notify-disp, notify-work, notify-maint.
    """
    given = DEFAULTS | {"application_name": role} | conninfo_to_dict(url)
    return make_conninfo("", **(given | {"client_encoding": "UTF8"}))


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


def is_quiet(pgconn: AnyPGconn) -> bool:
    """Say whether an idle connection has nothing to tell: who listens to nothing hears its end.

    Free of round trips. A false alarm costs a new connection.
    """
    data = select.poll()  # select() takes no descriptor above 1023
    try:
        data.register(pgconn.socket, select.POLLIN)
    except psycopg.OperationalError:  # it is closed
        return False
    return not data.poll(0)


def is_shared(pgconn: AnyPGconn, pid: int) -> bool:
    """Say whether a session, whose process has this id, is a pooler's: it told us another."""
    return pgconn.backend_pid != pid


class Pinned:
    """A connection as loaders see it: a shared one tells what others have set, and not our pins."""

    STATUS: ClassVar = {
        name: PINS[name.decode().lower()].encode()
        for name in (b"DateStyle", b"IntervalStyle", b"TimeZone")
    }

    @property
    def connection(self) -> Self:
        """Be the context's connection."""
        return self

    @property
    def pgconn(self) -> Self:
        """Be its libpq half, too."""
        return self

    def parameter_status(self, name: bytes) -> bytes | None:
        """Say how a value is written."""
        return self.STATUS.get(name)


def pinned(loader: type[Loader]) -> type[Loader]:
    """Make a loader that takes our pins for granted."""

    class PinnedLoader(loader):  # type: ignore[valid-type,misc]
        def __init__(self, oid: int, _context: AdaptContext | None = None) -> None:
            super().__init__(oid, Pinned())

    return PinnedLoader


def check_encoding(pgconn: AnyPGconn) -> None:
    """Refuse a database that cannot hold any text. Raises Unfit."""
    encoding = (pgconn.parameter_status(b"server_encoding") or b"UTF8").decode()
    if encoding != "UTF8":
        raise Unfit(
            f"the database is {encoding}, and must be UTF8: create database … encoding 'UTF8'"
            " template template0"
        )


@contextmanager
def pins_errors() -> Iterator[None]:
    """Name what somebody has set that we may not set back. Raises Unfit."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise Unfit(f"{one_line(error)}: somebody has, for this database or role") from error


def place(url: str) -> str:
    """Say in words which database a URL means, and as whom; without the password."""
    given = conninfo_to_dict(url)
    where = given.get("host") or given.get("hostaddr") or "this machine"
    port = f":{given['port']}" if "port" in given else ""
    user = given.get("user") or "the user's own role"
    return f"database {given.get('dbname') or user} on {where}{port} as {user}"


class Silent(psycopg.OperationalError):
    """No answer came in time: the connection may be dead, and nothing told so."""


class Ended(psycopg.OperationalError):
    """The connection ended while nobody used it."""


def end_with_sync(pipeline: BasePipeline) -> None:
    """Send nothing behind a pipeline's Sync, as psycopg does by itself: a Flush.

    A pooler may have taken the session back by then. It would lend another one to the Flush, which
    nothing answers, and so not end the loan while the connection lives.
    """

    def end() -> PQGen[None]:
        try:
            pipeline._enqueue_sync()
            yield from pipeline._communicate_gen()
        finally:
            yield from pipeline._fetch_gen(flush=False)

    pipeline._exit_gen = end  # type: ignore[method-assign]


class SharedCursor(psycopg.AsyncCursor[Any]):
    """Executes each statement behind our pins, as one transaction and one round trip."""

    connection: "Connection"

    async def execute(self, *args: Any, **kwargs: Any) -> Self:
        """Execute as AsyncCursor does; the statement is a transaction of its own."""
        async with self.connection.pipeline() as pipeline:
            end_with_sync(pipeline)
            for pins in self.connection.pins:
                await psycopg.AsyncCursor(self.connection).execute(pins)
            return await super().execute(*args, **kwargs)


class Connection(psycopg.AsyncConnection[Any]):
    """Waits no longer than ANSWER_MAX_S for an answer; then it raises Silent, and is closed."""

    opened_at: float
    pins: Sequence[str] = ()  # before each statement, as a pooler's session is another's after it

    @classmethod
    async def connect(cls, *args: Any, **kwargs: Any) -> Self:
        """Connect in autocommit, and see to it that no setting of others reaches us."""
        connection = await super().connect(*args, autocommit=True, **kwargs)
        connection.opened_at = time.monotonic()
        try:
            await connection._pin()
        except BaseException:
            connection.pgconn.finish()
            raise
        return connection

    async def _pin(self) -> None:
        check_encoding(self.pgconn)
        pins = session_pins(STATEMENT_TIMEOUT_S, self.pgconn.backend_pid)
        with pins_errors():
            _, cursor, _ = [await self.execute(pin, prepare=False) for pin in pins]
            pid, isolation, _ = (await cursor.fetchall())[0]
        if is_shared(self.pgconn, pid):
            self.pins = transaction_pins(STATEMENT_TIMEOUT_S, isolation)
            self.cursor_factory = SharedCursor
            self.prepare_threshold = None
            for name, loader in WITH_STYLE.items():
                self.adapters.register_loader(name, pinned(loader))

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
            if not self.is_waiting:
                raise
            with suppress(psycopg.Error):
                await self.cancel_safe(timeout=CANCEL_MAX_S)
            self.pgconn.finish()
            raise Silent(str(error)) from error
        except asyncio.CancelledError:
            if self.is_waiting:
                self.pgconn.finish()
            raise

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is missing."""
        return self.pgconn.transaction_status == TransactionStatus.ACTIVE


class Pool:
    """Connections that are lent out; those that nobody can trust any more are replaced."""

    def __init__(self, url: str, role: str, connections_max: int) -> None:
        self._pool = AsyncConnectionPool(
            conninfo(url, role),
            min_size=1,
            max_size=connections_max,
            kwargs={"prepare_threshold": 0},
            check=self._look,
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

    def ended(self) -> str | None:
        """Say that a task of its library ended: then it connects no more. None: all run."""
        tasks = [self._pool._sched_runner, *self._pool._workers]
        gone = [task.get_name() for task in tasks if task is not None and task.done()]
        return f"{gone[0]} ended" if gone else None

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

        One that is dead, or that a failover has left read-only, has company: all of its age are
        replaced, or each would cost a caller its time.
        """
        with translated():
            async with self._pool.connection() as conn:
                try:
                    yield conn
                except (Silent, psycopg.errors.ReadOnlySqlTransaction):
                    await self._replace_all(conn)
                    raise

    async def _look(self, conn: Connection) -> None:
        """Lend no connection that ended while it was idle. The pool asks again for another."""
        if not is_quiet(conn.pgconn):
            conn.pgconn.finish()
            await self._replace_all(conn)
            raise Ended("it ended while it was idle")

    async def _replace_all(self, conn: Connection) -> None:
        if conn.opened_at > self._drained_at:
            self._drained_at = time.monotonic()
            await self._pool.drain()


async def lock_holder(conn: Connection, lock: int) -> LockHolder | None:
    """Say who holds BELL or LEAD, of those who may be a stranger; None: nobody does."""
    cursor = conn.cursor(row_factory=class_row(LockHolder))
    await cursor.execute("select * from notify.lock_holder(%s)", [lock])
    return await cursor.fetchone()


async def connect(url: str, role: str) -> Connection:
    """Open one direct connection, for LISTEN or session locks. Raises DatabaseAway."""
    with translated():
        return await Connection.connect(conninfo(url, role))


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
        kind = Unfit if POOLER_REFUSES.search(str(error)) else DatabaseAway
        raise kind(one_line(error)) from error


def is_not_the_rows(sqlstate: str) -> bool:
    """Say whether an error that a row met is the server's, or of SQL that is wrong for any row.

    A trigger that asks for a table which is not there (42P01) is its owner's to mend: the client
    may try again. Permissions (42501) may be about the row.
    """
    return sqlstate.startswith(NOT_THE_ROWS) and sqlstate != "42501"


def one_line(error: Exception) -> str:
    """Give the first line of a driver's error, which has no values of rows in it."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
