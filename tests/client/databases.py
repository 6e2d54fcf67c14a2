"""The ways in which programs hold a database: each as a session that sends, one after the other."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import psycopg
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from sqlalchemy.pool import NullPool

from tests.client.project import configure_django


class Held:
    """What a program holds: `db`, and how it ends its transaction and runs what is awaited."""

    def __init__(
        self, db: Any, commit: Callable[[], Any], rollback: Callable[[], Any],
        wait: Callable[[Any], Any] = lambda value: value,
    ) -> None:  # fmt: skip
        self.db = db
        self._commit = commit
        self._rollback = rollback
        self.wait = wait

    def commit(self) -> None:
        self.wait(self._commit())

    def rollback(self) -> None:
        self.wait(self._rollback())


@contextmanager
def psycopg_connection(url: str) -> Iterator[Held]:
    with psycopg.connect(url) as db:
        yield Held(db, db.commit, db.rollback)


@contextmanager
def psycopg_cursor(url: str) -> Iterator[Held]:
    with psycopg.connect(url) as db, db.cursor() as cursor:
        yield Held(cursor, db.commit, db.rollback)


@contextmanager
def sqlalchemy_engine(url: str, driver: str) -> Iterator[sqlalchemy.Engine]:
    engine = sqlalchemy.create_engine(with_driver(url, driver), poolclass=NullPool)
    yield engine
    engine.dispose()


def with_driver(url: str, driver: str) -> str:
    return url.replace("postgresql://", f"postgresql+{driver}://")


def sqlalchemy_session(driver: str) -> Callable[[str], AbstractContextManager[Held]]:
    @contextmanager
    def held(url: str) -> Iterator[Held]:
        with sqlalchemy_engine(url, driver) as engine, Session(engine) as session:
            yield Held(session, session.commit, session.rollback)

    return held


@contextmanager
def sqlalchemy_connection(url: str) -> Iterator[Held]:
    with sqlalchemy_engine(url, "psycopg") as engine, engine.connect() as connection:
        yield Held(connection, connection.commit, connection.rollback)


@contextmanager
def sqlalchemy_scoped_session(url: str) -> Iterator[Held]:
    with sqlalchemy_engine(url, "psycopg") as engine:
        session = scoped_session(sessionmaker(engine))
        yield Held(session, session.commit, session.rollback)
        session.remove()


@contextmanager
def django_connection(url: str) -> Iterator[Held]:
    from django.db.backends.postgresql.base import DatabaseWrapper

    configure_django()
    at = urlsplit(url)
    settings = {
        "ENGINE": "django.db.backends.postgresql", "NAME": at.path[1:], "USER": at.username,
        "PASSWORD": at.password, "HOST": at.hostname, "PORT": at.port, "AUTOCOMMIT": False,
        "OPTIONS": {}, "TIME_ZONE": None, "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False,
        "ATOMIC_REQUESTS": False, "TEST": {},
    }  # fmt: skip
    db = DatabaseWrapper(settings, "default")
    yield Held(db, db.commit, db.rollback)
    db.close()


@asynccontextmanager
async def async_psycopg_connection(url: str) -> AsyncIterator[tuple[Any, Any]]:
    async with await psycopg.AsyncConnection.connect(url) as db:
        yield db, db


@asynccontextmanager
async def async_psycopg_cursor(url: str) -> AsyncIterator[tuple[Any, Any]]:
    async with await psycopg.AsyncConnection.connect(url) as db, db.cursor() as cursor:
        yield cursor, db


class AsyncpgTransactions:
    """Begins one at once, and again after each end."""

    def __init__(self, db: Any) -> None:
        self._db = db

    async def begin(self) -> None:
        self._now = self._db.transaction()
        await self._now.start()

    async def commit(self) -> None:
        await self._now.commit()
        await self.begin()

    async def rollback(self) -> None:
        await self._now.rollback()
        await self.begin()


@asynccontextmanager
async def asyncpg_connection(url: str) -> AsyncIterator[tuple[Any, Any]]:
    db = await asyncpg.connect(url)
    transactions = AsyncpgTransactions(db)
    await transactions.begin()
    yield db, transactions
    await db.close()


@asynccontextmanager
async def asyncpg_of_a_pool(url: str) -> AsyncIterator[tuple[Any, Any]]:
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool, pool.acquire() as db:
        transactions = AsyncpgTransactions(db)
        await transactions.begin()
        yield db, transactions
        await transactions._now.rollback()


def async_session(driver: str) -> Any:
    @asynccontextmanager
    async def held(url: str) -> AsyncIterator[tuple[Any, Any]]:
        engine = create_async_engine(with_driver(url, driver), poolclass=NullPool)
        async with AsyncSession(engine) as session:
            yield session, session
        await engine.dispose()

    return held


@asynccontextmanager
async def async_connection(url: str) -> AsyncIterator[tuple[Any, Any]]:
    engine = create_async_engine(with_driver(url, "asyncpg"), poolclass=NullPool)
    async with engine.connect() as connection:
        yield connection, connection
    await engine.dispose()


def waiting(held: Any) -> Callable[[str], AbstractContextManager[Held]]:
    """Let a test that is not async use an async way in."""

    @contextmanager
    def hold(url: str) -> Iterator[Held]:
        with asyncio.Runner() as runner:

            def wait(value: Any) -> Any:
                return runner.run(value) if inspect.iscoroutine(value) else value

            manager = held(url)
            db, transaction = wait(manager.__aenter__())
            try:
                yield Held(db, transaction.commit, transaction.rollback, wait)
            finally:
                wait(manager.__aexit__(None, None, None))

    return hold


SYNC = {
    "psycopg": psycopg_connection,
    "psycopg's cursor": psycopg_cursor,
    "sqlalchemy's session on psycopg": sqlalchemy_session("psycopg"),
    "sqlalchemy's session on psycopg2": sqlalchemy_session("psycopg2"),
    "sqlalchemy's connection": sqlalchemy_connection,
    "sqlalchemy's scoped session": sqlalchemy_scoped_session,
    "django": django_connection,
}
ASYNC = {
    "async psycopg": waiting(async_psycopg_connection),
    "async psycopg's cursor": waiting(async_psycopg_cursor),
    "asyncpg": waiting(asyncpg_connection),
    "asyncpg of a pool": waiting(asyncpg_of_a_pool),
    "sqlalchemy's async session on asyncpg": waiting(async_session("asyncpg")),
    "sqlalchemy's async session on psycopg": waiting(async_session("psycopg")),
    "sqlalchemy's async connection": waiting(async_connection),
}
