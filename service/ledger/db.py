"""How our processes reach PostgreSQL: one place for timeouts, keepalives, names and errors."""

import re
import select
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg._pipeline_base import BasePipeline
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq.abc import PGconn as AnyPGconn

from service.errors import DatabaseAway, Refused, TookTooLong, Unfit

CANCEL_MAX_S = 1.0


# A URL may change these. PGOPTIONS is not read, because poolers refuse what it would add.
DEFAULTS = {
    "connect_timeout": "5",
    "keepalives_idle": "20",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "options": "",
}


SCHEMA_MISSING = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.InvalidSchemaName,
)
# PgBouncer's words, always in English; the second ones come where it pools by statement.
POOLER_REFUSES = re.compile("unsupported startup parameter|transaction blocks not allowed")
NOT_THE_ROWS = ("08", "25", "40", "42", "53", "55", "57", "58", "XX")  # classes of SQLSTATE
AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,  # read-only after a failover, among others
    psycopg.errors.InsufficientPrivilege,  # the owner has to grant something
)


def conninfo(url: str, role: str) -> str:
    """Complete a DATABASE_URL; the URL's own parameters win, except the encoding.

    `role` becomes the application_name (at most 16 characters, as pg_activity shows no more):
    notify-api, notify-disp, notify-work, notify-maint.
    """
    settings = DEFAULTS | {"application_name": role} | conninfo_to_dict(url)
    return make_conninfo("", **(settings | {"client_encoding": "UTF8"}))


def is_quiet(pgconn: AnyPGconn) -> bool:
    """Return whether nothing has arrived on an idle connection: all that can come is its end.

    It makes no round trip. A false alarm only costs a new connection.
    """
    poll = select.poll()  # select() takes no descriptor above 1023
    try:
        poll.register(pgconn.socket, select.POLLIN)
    except psycopg.OperationalError:  # it is closed
        return False
    return not poll.poll(0)


def is_shared(pgconn: AnyPGconn, pid: int) -> bool:
    """Return whether a session with this process id is a pooler's: the login named another id."""
    return pgconn.backend_pid != pid


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
    """Turn PostgreSQL's refusal of one of our settings into Unfit, which says who set it."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise Unfit(f"{one_line(error)}: somebody has, for this database or role") from error


def end_with_sync(pipeline: BasePipeline) -> None:
    """End a pipeline with its Sync; psycopg alone would send a Flush after it.

    A pooler may have taken the session back by then. It would lend another session for the Flush,
    which nothing answers, so that this loan would last as long as the connection.
    """

    def end() -> PQGen[None]:
        try:
            pipeline._enqueue_sync()
            yield from pipeline._communicate_gen()
        finally:
            yield from pipeline._fetch_gen(flush=False)

    pipeline._exit_gen = end  # type: ignore[method-assign]


@contextmanager
def translated() -> Iterator[None]:
    """Turn psycopg's errors into ours: DatabaseAway (try later) or Refused (the row is wrong).

    A plain `raise exception` comes from somebody's own trigger, which refuses a row.
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
    """Return whether an error is the server's, or of SQL that fails for any row.

    A trigger that reads a missing table (42P01) is for its owner to mend: the client may try again.
    A missing permission (42501) may be about the row.
    """
    return sqlstate.startswith(NOT_THE_ROWS) and sqlstate != "42501"


def one_line(error: Exception) -> str:
    """Return the first line of a driver's error, which never quotes a row."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
