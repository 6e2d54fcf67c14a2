"""Webhooks for a worker, and what became of them."""

from typing import Any
from uuid import UUID

from psycopg import Connection

from tests import ledger


def webhooks(db: Connection[Any], n: int, url: str, **columns: Any) -> list[UUID]:
    """Enqueue `n` for one URL."""
    return ledger.enqueue(db, n, channel="webhook", recipient=url, payload="{}", **columns)


def counts(db: Connection[Any], ids: list[UUID]) -> dict[str, int]:
    """Count these by their status."""
    query = "select status, count(*) as n from notify.notifications where id = any (%s) group by 1"
    return {row.status: row.n for row in db.execute(query, [ids])}
