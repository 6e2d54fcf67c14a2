"""One database for the tests that leave the schema alone: a clone for each would be slower."""

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from psycopg.rows import namedtuple_row
from psycopg.sql import SQL, Identifier

from tests.conftest import settle_in, url_of
from tests.explaining import beat, leading
from tests.ledger import put, unbind
from tests.producers import producer
from tests.sql.faults import FAULTS, heal
from tests.sql.long import connected, ledger_of, old_id, tend


@pytest.fixture(scope="session")
def shared_url(servers: Any, database_server: Any, migrated: Any) -> Iterator[str]:
    """Give the URL of a migrated database that outlives a test."""
    name = f"notify_shared_{os.getpid()}"
    with psycopg.connect(servers.database_url, autocommit=True) as admin:
        admin.execute(
            SQL("create database {} template {}").format(
                Identifier(name), Identifier(migrated.template_dbname)
            )
        )
        url = url_of(database_server, name)
        settle_in(url)
        yield url
        admin.execute(SQL("drop database {} with (force)").format(Identifier(name)))


# What DISCARD ALL does, but for plans: to make them anew takes longer than most tests.
AS_NEW = """
set session authorization default;
reset all;
close all;
unlisten *;
select pg_advisory_unlock_all();
discard sequences;
discard temp;
delete from notify.notifications;
delete from notify.attempts;
delete from notify.slo_deltas;
delete from notify.slo_daily;
delete from notify.idempotency_keys;
delete from notify.pauses;
"""


@pytest.fixture(scope="session")
def shared_session(shared_url: str) -> Iterator[list[psycopg.Connection[Any]]]:
    """Keep the session of the test before: a new one would read the catalogue anew."""
    kept: list[psycopg.Connection[Any]] = []
    yield kept
    for connection in kept:
        connection.close()


@pytest.fixture
def shared_db(
    shared_url: str, shared_session: list[psycopg.Connection[Any]]
) -> Iterator[psycopg.Connection[Any]]:
    """Connect to it, emptied of rows, in a session that is as a new one."""
    if shared_session and is_sound(shared_session[0]):
        [connection] = shared_session
    else:
        connection = psycopg.connect(shared_url, autocommit=True, prepare_threshold=None)
        shared_session[:] = [connection]
    connection.row_factory = namedtuple_row
    connection.execute(AS_NEW)
    yield connection


def is_sound(connection: psycopg.Connection[Any]) -> bool:
    """Whether a test left a session that another may have: idle, and as it was made."""
    heard = connection._notice_handlers or connection._notify_handlers
    idle = connection.info.transaction_status == TransactionStatus.IDLE
    if not idle or not connection.autocommit or heard:
        connection.close()
    return not connection.closed


@pytest.fixture
def faulty_db(shared_db: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """Connect to it for a test that adds a fault to the database."""
    yield shared_db
    heal(shared_db)


@pytest.fixture
def unbound_db(shared_db: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """Connect to it for a test that needs times which the ledger does not take."""
    bind = unbind(shared_db)
    yield shared_db
    shared_db.execute(bind)


@pytest.fixture(params=FAULTS)
def fault(request: pytest.FixtureRequest, faulty_db: psycopg.Connection[Any]) -> Any:
    """Give what adds a fault: it strikes whenever the odd row is to leave a status."""
    return lambda leaves: faulty_db.execute(FAULTS[request.param].replace("STAYS", leaves))


@pytest.fixture(scope="session")
def long_url(servers: Any, database_server: Any, migrated: Any) -> Iterator[str]:
    """Give the URL of a ledger of 80 days, which is a long one."""
    with ledger_of(80, servers, database_server, migrated) as url:
        yield url


@pytest.fixture
def long_db(long_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Connect to it, emptied of rows, with all its days quiet."""
    with connected(long_url) as connection:
        connection.execute("delete from notify.notifications")
        connection.execute("delete from notify.attempts")
        connection.execute("delete from notify.slo_deltas")
        connection.execute("update notify.quiet_days set tended_at = '-infinity'")
        tend(connection)
        yield connection


@pytest.fixture
def road(db: psycopg.Connection[Any], dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """Connect where a worker lives and a dispatcher leads."""
    beat(db)
    with leading(dsn):
        yield db


@pytest.fixture
def shop(db: psycopg.Connection[Any], dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """Let a producer's role connect, which has no other rights."""
    with producer(db, dsn, "shop") as session:
        yield session


@pytest.fixture
def other(db: psycopg.Connection[Any], dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """Let another producer's role connect."""
    with producer(db, dsn, "other") as session:
        yield session


@pytest.fixture
def old_day(db: psycopg.Connection[Any]) -> str:
    """Make a day that is over, five days ago, and give the name of its table."""
    put(db, "sent", id=old_id(db, 5))
    [made, _] = db.execute("select * from notify.make_days(0, '6 days')").fetchall()
    return f"notify.{made.partition}"
