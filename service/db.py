"""How our processes reach PostgreSQL: one place for timeouts, keepalives, names and errors."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg_pool import PoolTimeout, TooManyRequests

from service.errors import DatabaseAway, Refused

# A host that vanishes without a FIN would hold its session locks for two hours with the kernel's
# defaults; both ends look every 20 s instead. Times are read in UTC, whatever the server's zone.
SERVER_OPTIONS = (
    "-c tcp_keepalives_idle=20 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=15000 -c timezone=UTC"
)

# For sessions that ask little: when a proxy on the way has lost its other end without a FIN, it may
# acknowledge what we send for ever. psycopg closes the connection 5 s after this.
ANSWER_MAX_S = 3.0

SCHEMA_MISSING = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.InvalidSchemaName,
)
AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,  # read-only after a failover, among others
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
    }
    return make_conninfo(url, **{k: v for k, v in defaults.items() if f"{k}=" not in url})


async def connect(url: str, role: str) -> psycopg.AsyncConnection:
    """Open one direct connection, for LISTEN or session locks. Raises DatabaseAway."""
    with translated():
        return await psycopg.AsyncConnection.connect(conninfo(url, role), autocommit=True)


@asynccontextmanager
async def answered() -> AsyncIterator[None]:
    """Turn errors into ours, and silence too: the connection is closed then."""
    try:
        async with asyncio.timeout(ANSWER_MAX_S):
            with translated():
                yield
    except TimeoutError as error:
        raise DatabaseAway(f"no answer within {ANSWER_MAX_S:g} s") from error


@contextmanager
def translated() -> Iterator[None]:
    """Turn psycopg's errors into ours: DatabaseAway (try later) or Refused (the row is wrong)."""
    try:
        yield
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        diag = error.diag
        raise Refused(
            diag.message_primary or str(error),
            constraint=diag.constraint_name or "",
            column=diag.column_name or "",
            hint=diag.message_hint or "",
        ) from error
    except SCHEMA_MISSING as error:
        raise DatabaseAway("the schema is missing or old: run notify migrate") from error
    except AWAY as error:
        raise DatabaseAway(one_line(error)) from error


def one_line(error: Exception) -> str:
    """Give the first line of a driver's error, which has no values of rows in it."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
