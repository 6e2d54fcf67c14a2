"""Minutes of destinations, and figures of the queue: short calls for tests."""

import json
from typing import Any

from psycopg import Connection

from workers.rollups import BOUNDS_MS

BUCKETS = len(BOUNDS_MS) + 1
A, B = "https://a.example", "https://b.example"


def counts(destination: str = A, *took_ms: int, **more: Any) -> dict[str, Any]:
    """Say what sends of so many milliseconds did, as a worker counts them."""
    took = [0] * BUCKETS
    for ms in took_ms:
        took[sum(bound < ms for bound in BOUNDS_MS)] += 1
    return {
        "channel": "webhook", "destination": destination, "sends": len(took_ms), "failures": 0,
        "took": took, "last_code": None, "failed_s": None,
    } | more  # fmt: skip


def add_minutes(db: Connection[Any], *rows: Any, at_s: float | None = None) -> None:
    """Add what a worker counted in the minute of `at_s` (None: this one)."""
    at_s = now_s(db) if at_s is None else at_s
    db.execute("select notify.add_minutes(%s)", [json.dumps({"at": at_s, "rows": rows})])


def now_s(db: Connection[Any]) -> float:
    """Read the ledger's clock, since 1970."""
    query = "select extract(epoch from clock_timestamp())::float8 as s"
    return float(db.execute(query).fetchone().s)


def minutes(db: Connection[Any]) -> list[Any]:
    """Give all rows of destination_minutes."""
    query = "select * from notify.destination_minutes order by minute, channel, destination"
    return db.execute(query).fetchall()


def note_figures(db: Connection[Any], ago: str = "0 s", *, queued: int = 0, **more: Any) -> None:
    """Note how the queue stood so long ago, with all of it in lane 2."""
    row = {
        "ago": ago, "leader": "h:1", "queued": [0, 0, queued, 0], "quiet": 0, "sending": 0,
        "is_estimate": False, "oldest_due_s": None,
    } | more  # fmt: skip
    db.execute(
        "insert into notify.figures (at, leader, queued, quiet, sending, is_estimate, oldest_due_s)"
        " values (clock_timestamp() - %(ago)s::interval, %(leader)s, %(queued)s, %(quiet)s,"
        " %(sending)s, %(is_estimate)s, %(oldest_due_s)s)",
        row,
    )
