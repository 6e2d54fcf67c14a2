"""Notifications explained, and workers that say that they live: short calls for tests."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Connection

URL = "https://hooks.example/orders/s3cret"
WEBHOOK: dict[str, Any] = {"channel": "webhook", "recipient": URL, "payload": "{}"}
MAIL: dict[str, Any] = {
    "channel": "email", "recipient": "ada@Example.org",
    "payload": '{"subject": "s", "text": "t"}',
}  # fmt: skip


def explain(db: Connection[Any], id: UUID) -> dict[str, Any]:
    """Give the sentences by their code, in order."""
    rows = db.execute("select * from notify.explain(%s)", [id]).fetchall()
    by_code = {r.code: r for r in rows}
    assert len(by_code) == len(rows)
    assert all(r.sentence and r.sentence[-1] == "." for r in rows)
    return by_code


def first(db: Connection[Any], id: UUID) -> Any:
    """Give the most important sentence."""
    return next(iter(explain(db, id).values()))


def beat(db: Connection[Any], worker: str = "w:1", **said: Any) -> bool:
    """Let a worker say that it lives; returns whether it is new."""
    says = {
        "host": "h", "version": "1", "environment": None, "channels": ["webhook", "log"],
        "patience": "1 hour", "slots": 512, "in_flight": 3, "settled": 0, "up": "1 minute",
    } | said  # fmt: skip
    query = (
        "select notify.beat(%(worker)s, %(host)s, %(version)s, %(environment)s, %(channels)s,"
        " %(patience)s, %(slots)s, %(in_flight)s, %(settled)s, %(up)s) as is_new"
    )
    return bool(db.execute(query, says | {"worker": worker}).fetchone().is_new)


def silence(db: Connection[Any], since: str, worker: str = "w:1") -> None:
    """Let a worker have beaten last so long ago."""
    db.execute(
        "update notify.workers set beat_at = clock_timestamp() - %s::interval where worker = %s",
        [since, worker],
    )


def note(
    db: Connection[Any], *begun: Any, ended: tuple[Any, ...] = (), worker: str = "w:1"
) -> None:
    """Note which destinations a worker keeps rows back from, and from which no longer."""
    db.execute(
        "select notify.note_destinations(%s, %s, %s)",
        [worker, json.dumps(begun), json.dumps(ended)],
    )


def state(destination: str, state: str = "breaker", **more: Any) -> dict[str, Any]:
    """Say of a webhook's destination why rows are kept back from it."""
    return {
        "channel": "webhook", "destination": destination, "state": state, "url_hash": "",
        "code": "connect_failed", "ago_s": 60, "in_s": None,
    } | more  # fmt: skip


@contextmanager
def leading(dsn: str) -> Iterator[None]:
    """Let a dispatcher lead."""
    with psycopg.connect(dsn, autocommit=True, application_name="notify-disp") as leader:
        leader.execute("select notify.lead()")
        yield


def utc(at: Any) -> str:
    """Write a time as sentences have it."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
