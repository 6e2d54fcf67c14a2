"""Run one statement on what the caller has: a function for each kind of it, and no import before.

Every value is bound as a text, and cast in the statement: so neither the driver's adapters nor
codecs that the program registered for jsonb, uuid or timestamptz have a say.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, str | None]

PLACE = re.compile(r"\{(\w+)\}")
TAKEN = (
    "a psycopg Connection or Cursor, an asyncpg Connection, a SQLAlchemy Session or Connection,"
    " their async kinds, or a Django connection"
)


def by_psycopg(db: Any, statement: str, values: Values) -> list[str]:
    """Use a cursor beside the caller's, so that what theirs holds stays."""
    with psycopg_cursor(db) as cursor:
        cursor.execute(PLACE.sub(r"%(\1)s", statement), values)
        return texts(row[0] for row in cursor.fetchall())


async def by_async_psycopg(db: Any, statement: str, values: Values) -> list[str]:
    """Do the same."""
    async with psycopg_cursor(db) as cursor:
        await cursor.execute(PLACE.sub(r"%(\1)s", statement), values)
        return texts(row[0] for row in await cursor.fetchall())


def psycopg_cursor(db: Any) -> Any:
    """Make a cursor of tuples that reads %(name)s, whatever the connection makes by itself.

    A program that binds in the client, for a proxy that knows no other way, goes on to do so.
    """
    import psycopg
    from psycopg.rows import tuple_row

    connection = getattr(db, "connection", db)
    is_async = isinstance(connection, psycopg.AsyncConnection)
    in_client = psycopg.AsyncClientCursor if is_async else psycopg.ClientCursor
    in_server = psycopg.AsyncCursor if is_async else psycopg.Cursor
    kind = in_client if issubclass(connection.cursor_factory, in_client) else in_server
    return kind(connection, row_factory=tuple_row)


async def by_asyncpg(db: Any, statement: str, values: Values) -> list[str]:
    """Number the places."""
    order = {name: number for number, name in enumerate(values, 1)}
    numbered = PLACE.sub(lambda place: f"${order[place[1]]}", statement)
    return texts(row[0] for row in await db.fetch(numbered, *values.values()))


def by_sqlalchemy(db: Any, statement: str, values: Values) -> list[str]:
    """Use the driver below."""
    from sqlalchemy import text

    return texts(db.execute(text(PLACE.sub(r":\1", statement)), dict(values)).scalars())


async def by_async_sqlalchemy(db: Any, statement: str, values: Values) -> list[str]:
    """Use the driver below."""
    from sqlalchemy import text

    done = await db.execute(text(PLACE.sub(r":\1", statement)), dict(values))
    return texts(done.scalars())


def by_django(db: Any, statement: str, values: Values) -> list[str]:
    """Use the driver below."""
    if db.vendor != "postgresql":
        raise TypeError(f"the Django connection is one of {db.vendor}, not of PostgreSQL")
    with db.cursor() as cursor:
        cursor.execute(PLACE.sub(r"%(\1)s", statement), dict(values))
        return texts(row[0] for row in cursor.fetchall())


def texts(values: Iterable[Any]) -> list[str]:
    """Read a column of texts: psycopg gives bytes where client_encoding is SQL_ASCII."""
    return [text_of(value) for value in values]


def text_of(value: Any) -> str:
    """Read one; its bytes are what the database has, which the program writes as UTF-8."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


@dataclass(frozen=True, slots=True)
class Now:
    """A driver that answers when it is called."""

    run: Callable[[Any, str, Values], list[str]]


@dataclass(frozen=True, slots=True)
class Later:
    """A driver that answers when it is awaited."""

    run: Callable[[Any, str, Values], Awaitable[list[str]]]


# The package and the name of a class, or of one that it is derived from.
DRIVERS: Mapping[tuple[str, str], Now | Later] = {
    ("psycopg", "Connection"): Now(by_psycopg),
    ("psycopg", "Cursor"): Now(by_psycopg),
    ("psycopg", "AsyncConnection"): Later(by_async_psycopg),
    ("psycopg", "AsyncCursor"): Later(by_async_psycopg),
    ("asyncpg", "Connection"): Later(by_asyncpg),
    ("asyncpg", "PoolConnectionProxy"): Later(by_asyncpg),
    ("sqlalchemy", "Session"): Now(by_sqlalchemy),
    ("sqlalchemy", "scoped_session"): Now(by_sqlalchemy),
    ("sqlalchemy", "Connection"): Now(by_sqlalchemy),
    ("sqlalchemy", "AsyncSession"): Later(by_async_sqlalchemy),
    ("sqlalchemy", "async_scoped_session"): Later(by_async_sqlalchemy),
    ("sqlalchemy", "AsyncConnection"): Later(by_async_sqlalchemy),
    ("django", "BaseDatabaseWrapper"): Now(by_django),
    ("django", "ConnectionProxy"): Now(by_django),
}


def driver_of(db: object) -> Now | Later:
    """Find how to run a statement on `db`. Raises TypeError for what is none of them."""
    for kind in (*type(db).__mro__, *db.__class__.__mro__):  # a tracer's proxy lends its class
        package = kind.__module__.partition(".")[0]
        if driver := DRIVERS.get((package, kind.__name__)):
            return driver
    raise TypeError(f"db is {TAKEN}; not {type(db).__module__}.{type(db).__qualname__}")


def djangos_default() -> Any:
    """Return Django's default connection. Raises TypeError where there is no Django."""
    try:
        from django.db import connection
    except ModuleNotFoundError:
        raise TypeError(f"db is missing: without Django it has no default. Give {TAKEN}") from None
    return connection
