"""Roles of the database that may send, and nothing else: sessions for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.sql import SQL, Identifier

NUMBER = count(1)

# A condition that tells what it is asked about, and that the planner takes for cheap.
LEAK = """
create function pg_temp.leak(anyelement) returns boolean language plpgsql cost 0.0000001 as
$$ begin raise notice 'leaked %', $1; return true; end $$
"""


@contextmanager
def role(db: psycopg.Connection[Any], *, password: str = "p") -> Iterator[str]:
    """Make a role that may log in; roles are the server's, so it is dropped again."""
    name = f"shop_{db.info.backend_pid}_{next(NUMBER)}"
    db.execute(SQL("create role {} login password {}").format(Identifier(name), password))
    yield name
    db.execute(SQL("drop owned by {0}; drop role {0}").format(Identifier(name)))


@contextmanager
def producer(
    db: psycopg.Connection[Any], dsn: str, name: str | None = None
) -> Iterator[psycopg.Connection[Any]]:
    """Connect as a new role that grant_producer() let send, in autocommit."""
    with role(db) as user:
        db.execute("select notify.grant_producer(%s, %s)", [user, name])
        with psycopg.connect(
            dsn, user=user, password="p", autocommit=True, row_factory=namedtuple_row
        ) as session:
            yield session


def rows_of_others(db: psycopg.Connection[Any], count: int, reference: str) -> None:
    """Insert rows of another producer, without triggers: 100,000 in a second."""
    with db.transaction():
        db.execute("set local session_replication_role = replica")
        db.execute(
            "insert into notify.notifications"
            " (channel, recipient, payload, reference, producer, due_at, created_at)"
            " select 'log', 'r', '1', %s, 'others', now(), now() from generate_series(1, %s)",
            [reference, count],
        )
