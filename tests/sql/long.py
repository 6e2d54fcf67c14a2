"""A ledger of many days: databases that keep them, and ids of days long past."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.sql import SQL, Identifier

from tests.conftest import settle_in, url_of

EACH = 100  # days per transaction: each of them holds locks on two new tables
MAKE = """
select count(*) from generate_series(%s::integer, %s) as ago
cross join lateral notify.make_day((clock_timestamp() at time zone 'utc')::date - ago, 0) made
"""


@contextmanager
def ledger_of(days: int, servers: Any, database_server: Any, migrated: Any) -> Iterator[str]:
    """Give the URL of a migrated database with so many past days, all tended."""
    name = f"notify_of_{days}_{os.getpid()}"
    with psycopg.connect(servers.database_url, autocommit=True) as admin:
        admin.execute(
            SQL("create database {} template {}").format(
                Identifier(name), Identifier(migrated.template_dbname)
            )
        )
        url = url_of(database_server, name)
        settle_in(url)
        with connected(url) as db:
            for first in range(1, days + 1, EACH):
                db.execute(MAKE, [first, min(first + EACH - 1, days)])
            tend(db)
        yield url
        admin.execute(SQL("drop database {} with (force)").format(Identifier(name)))


def connected(url: str) -> psycopg.Connection[Any]:
    """Connect in autocommit; rows are named tuples."""
    return psycopg.connect(url, autocommit=True, row_factory=namedtuple_row)


def tend(db: psycopg.Connection[Any]) -> dict[str, str]:
    """Tend all days that wait for it; return the actions by partition."""
    actions: dict[str, str] = {}
    while rows := db.execute("select * from notify.tend_days(16)").fetchall():
        actions.update((r.partition, r.action) for r in rows)
    return actions


def old_id(db: psycopg.Connection[Any], days_ago: int) -> UUID:
    """Make an id of a day, at noon: midnight may pass while a test runs."""
    floor = db.execute(
        "select notify.id_floor(((clock_timestamp() at time zone 'utc')::date - %s + time '12:00')"
        " at time zone 'utc') as id",
        [days_ago],
    ).fetchone()
    assert floor
    unique = uuid4().int & 0xFFFF_FFFF_FFFF
    return UUID(int=floor.id.int | (7 << 76) | (1 << 63) | unique)
