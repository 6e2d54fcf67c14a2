"""Real servers for every test: a PostgreSQL and a Valkey per session, a fresh database per test.

TEST_DATABASE_URL (a superuser's URL of any server) and TEST_REDIS_URL take their place;
TEST_POSTGRES_PROGRAMS (the bin/ of another PostgreSQL) changes what is started here.
"""

import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import redis
from hypothesis import HealthCheck, settings
from loguru import logger
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import namedtuple_row
from psycopg.sql import SQL, Identifier
from pytest_postgresql import factories
from pytest_postgresql.executors import NoopExecutor

from service.embedded.servers import EmbeddedServers
from service.embedded.state import State
from service.keys import Keys
from service.ledger.migrate import migrate
from tests.resolver import Resolver
from tests.scratch import scratch

pytest_plugins = ["tests.selection"]

# A busy machine may take long for an example: that is no failure.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# A shell lets what it starts by & ignore Ctrl-C, and so would all commands that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def servers() -> Iterator[SimpleNamespace]:
    """`database_url` (a superuser's) and `redis_url`; started here if not set."""
    database_url = os.environ.get("TEST_DATABASE_URL")
    redis_url = os.environ.get("TEST_REDIS_URL")
    programs = os.environ.get("TEST_POSTGRES_PROGRAMS")
    with scratch() as state:
        own = EmbeddedServers(
            Path(state),
            postgres=not database_url,
            valkey=not redis_url,
            fast=True,
            postgres_programs=Path(programs) if programs else None,
        )
        with own as urls:
            yield SimpleNamespace(
                database_url=database_url or as_superuser(urls.database_url, own.state),
                redis_url=redis_url or urls.redis_url,
            )


def as_superuser(url: str | None, state: State) -> str:
    """Name the private server's superuser, not the service's role."""
    assert url
    server = url.rpartition("@")[2].removesuffix("/notify")
    return f"postgresql://postgres:{state.superuser_password}@{server}/postgres"


@pytest.fixture(scope="session")
def database_server(servers: SimpleNamespace) -> SimpleNamespace:
    """Say where PostgreSQL is, with the attributes that pytest-postgresql reads."""
    parts = conninfo_to_dict(servers.database_url)
    return SimpleNamespace(
        host=parts.get("host", "127.0.0.1"),
        port=parts.get("port", 5432),
        user=parts.get("user", "postgres"),
        password=parts.get("password"),
        options="",
        maintenance_dbname=parts.get("dbname", "postgres"),
        template_dbname=None,
    )


def url_of(server: Any, dbname: str) -> str:
    """Write a URL as DATABASE_URL has it; a socket directory goes into the query."""
    who = quote(server.user, safe="")
    if server.password:
        who += ":" + quote(server.password, safe="")
    host, query = server.host, ""
    if host.startswith("/"):
        host, query = "", f"?host={host}&port={server.port}"
    else:
        host = f"{host}:{server.port}"
    return f"postgresql://{who}@{host}/{dbname}{query}"


TEMPLATE = SimpleNamespace(day=None)  # UTC, on which it was migrated


def load_schema(**where: Any) -> None:
    """Migrate the template once per session; every test gets a clone of it, at home by its name."""
    TEMPLATE.day = datetime.now(UTC).date()
    url = url_of(SimpleNamespace(**where), where["dbname"])
    migrate(url)
    settle_in(url, where["dbname"].removesuffix("_tmpl"))


def settle_in(url: str, name: str | None = None) -> None:
    """Let a clone of the migrated database be at home: its name is not that of its template.

    `name`: the one that a clone of this database will have.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "update notify.settings set database_name = coalesce(%s, current_database())", [name]
        )


def bring_to_today(dsn: str) -> None:
    """Give a clone the days of today: the template was migrated before midnight."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for table in ("notifications", "attempts"):
            old = Identifier("notify", f"{table}_{TEMPLATE.day:%Y%m%d}")
            connection.execute(SQL("drop table if exists {}").format(old))
        connection.execute("select notify.keep_partitions(7, '10 years')")


# The process id keeps two runs apart that share one server.
migrated = factories.postgresql_noproc(
    dbname=f"notify_test_{os.getpid()}", load=[load_schema], depends_on="database_server"
)


@pytest.fixture
def dsn(servers: SimpleNamespace, migrated: NoopExecutor) -> Iterator[str]:
    """Give the URL of a fresh, migrated database that is this test's own."""
    with cloned(servers, migrated, migrated.dbname) as url:
        yield url


@contextmanager
def cloned(servers: SimpleNamespace, migrated: NoopExecutor, name: str) -> Iterator[str]:
    """Clone the migrated database under a name; gives its URL, and drops it in the end.

    pytest-postgresql's own clone takes five connections for each test, and writes all pages to the
    WAL as well: half as much CPU again.
    """
    here, template = Identifier(name), Identifier(migrated.template_dbname)
    make = SQL("create database {} template {} strategy file_copy").format(here, template)
    # A clone inherits the tables of its template, but not what ALTER DATABASE said about it.
    path = SQL('alter database {} set search_path = "$user", public, notify').format(here)
    with psycopg.connect(servers.database_url, autocommit=True) as admin:
        admin.execute(make)
        admin.execute(path)
        url = url_of(migrated, name)
        if name != migrated.dbname:
            settle_in(url)
        if datetime.now(UTC).date() != TEMPLATE.day:
            bring_to_today(url)
        yield url
        admin.execute(SQL("drop database if exists {} with (force)").format(here))


@pytest.fixture
def db(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """Connect to `dsn` in autocommit; rows are named tuples."""
    with psycopg.connect(dsn, autocommit=True, row_factory=namedtuple_row) as connection:
        yield connection


@pytest.fixture
def other_db(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """Connect a second time: for what happens between two sessions."""
    with psycopg.connect(dsn, autocommit=True, row_factory=namedtuple_row) as connection:
        yield connection


@pytest.fixture
def empty_dsn(servers: SimpleNamespace, database_server: SimpleNamespace) -> Iterator[str]:
    """Give the URL of a database without our schema."""
    name = f"notify_empty_{os.getpid()}"
    with psycopg.connect(servers.database_url, autocommit=True) as admin:
        admin.execute(SQL("create database {}").format(Identifier(name)))
        yield url_of(database_server, name)
        admin.execute(SQL("drop database {} with (force)").format(Identifier(name)))


@pytest.fixture
def redis_url(servers: SimpleNamespace) -> str:
    """Give the URL of a Redis that is empty."""
    with redis.Redis.from_url(servers.redis_url) as client:
        client.flushdb()
    return servers.redis_url


@pytest.fixture
def keys(db: psycopg.Connection[Any]) -> Keys:
    """Name the keys of Redis that belong to the test's database."""
    return Keys(db.execute("select id from notify.ledger()").fetchone().id)


@pytest.fixture
def redis_client(redis_url: str) -> Iterator["redis.Redis"]:
    """Connect to `redis_url`; answers are bytes."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def logs_restored() -> Iterator[None]:
    """Let the test set the logs up as it likes; restore them afterwards."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logger.remove()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture
def transitions() -> Iterator[list[tuple[str, dict[str, object]]]]:
    """Collect the log's rows about notifications: the event's name, and its fields."""
    rows: list[tuple[str, dict[str, object]]] = []

    def collect(message: object) -> None:
        record = message.record  # type: ignore[attr-defined]
        rows.extend((record["message"], dict(row)) for row in record["extra"].get("_rows", ()))

    sink = logger.add(collect, format="{message}")
    yield rows
    logger.remove(sink)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    """Answer for names under `test`."""
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)
    yield resolver
    resolver.release.set()
