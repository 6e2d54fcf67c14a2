"""What tests of watches have in common: a table, a watch, and what was told of it."""

from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Identifier, Placeholder

ORDERS = "create table orders (id int primary key, status text, total numeric(10,2))"


def watch(db: Connection[Any], table: str = "orders", **options: Any) -> int:
    """Make a watch of all three events, or of `events`; its id."""
    given = {"events": ["insert", "update", "delete"], "channel": "log", "recipient": "r"} | options
    query = SQL("select notify.on_change({}, {}) as id").format(
        Placeholder("table"),
        SQL(", ").join(SQL("{} => {}").format(Identifier(k), Placeholder(k)) for k in given),
    )
    return int(db.execute(query, given | {"table": table}).fetchone().id)


def told(db: Connection[Any], producer: str | None = None) -> list[Any]:
    """Read what was told, in order: rows of op, old, new, reference, payload."""
    return db.execute(
        "select payload ->> 'op' as op, payload -> 'old' as old, payload -> 'new' as new,"
        " reference, payload, producer, channel, recipient from notify.notifications"
        " where %(p)s::text is null or producer = %(p)s order by id",
        {"p": producer},
    ).fetchall()


def ops(db: Connection[Any]) -> list[str]:
    """Read the operations that were told, in order."""
    return [t.op for t in told(db)]
