"""Ledgers that are not at home: what a dump, a template or another server makes of them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection


def declare(db: Connection[Any], environment: str | None) -> None:
    """Let the ledger's home be called so; None: nobody has declared it."""
    db.execute("update notify.settings set environment = %s", [environment])


def move_database(db: Connection[Any]) -> None:
    """Let the ledger be in a database of another name than home."""
    db.execute("update notify.settings set database_name = 'elsewhere'")


def move_server(db: Connection[Any]) -> None:
    """Let the ledger be on a server with another identifier than home."""
    db.execute("update notify.settings set system_identifier = 1, server_started_at = null")


def restart(db: Connection[Any]) -> None:
    """Let the server have started since somebody last compared its identifier."""
    db.execute("update notify.settings set server_started_at = '2000-01-01Z'")


def settings(db: Connection[Any]) -> Any:
    """Read the row of notify.settings."""
    return db.execute("select * from notify.settings").fetchone()


def home(db: Connection[Any], environment: str | None = None) -> Any:
    """Ask home()."""
    return db.execute("select * from notify.home(%s)", [environment]).fetchone()


def notice(db: Connection[Any], environment: str | None = None) -> Any:
    """Note that the ledger is a copy; return when that was first noted."""
    return db.execute("select notify.notice_copy(%s) as at", [environment]).fetchone().at


def keep(
    db: Connection[Any],
    environment: str | None = None,
    hours: float | None = None,
    payload_days: int | None = None,
) -> str:
    """Call keep_settings()."""
    query = "select notify.keep_settings(%s, %s, %s) as done"
    return str(db.execute(query, [environment, hours, payload_days]).fetchone().done)


def discard(db: Connection[Any], environment: str | None = None, limit: int = 100) -> Any:
    """Cancel what the original sends; return (matched, discarded)."""
    query = "select matched, discarded from notify.discard(%s, %s)"
    return tuple(db.execute(query, [environment, limit]).fetchone())


def adopt(db: Connection[Any], environment: str | None = None) -> str:
    """Make this the ledger's home."""
    return str(db.execute("select notify.adopt(%s) as done", [environment]).fetchone().done)


def claim_of_before(db: Connection[Any], ids: Sequence[UUID] | None = None) -> list[Any]:
    """Claim as workers of before do, who have no ENVIRONMENT."""
    query = "select * from notify.claim(%s::uuid[], 100, 'w:1', '30 s', 4, '1 hour')"
    return db.execute(query, [None if ids is None else list(ids)]).fetchall()


def claim_each_of_before(db: Connection[Any], ids: Sequence[UUID] | None = None) -> list[Any]:
    """Claim row by row, as workers of before do."""
    query = "select * from notify.claim_each(%s::uuid[], 100, 'w:1', '30 s', 4, '1 hour')"
    return db.execute(query, [None if ids is None else list(ids)]).fetchall()


def claim_without_trace(db: Connection[Any], ids: Sequence[UUID] | None = None) -> list[Any]:
    """Claim as workers do that know tests, and no traceparent."""
    query = "select * from notify.claim(%s::uuid[], 100, 'w:1', '30 s', 4, '1 hour', null)"
    return db.execute(query, [None if ids is None else list(ids)]).fetchall()


def claim_each_without_trace(db: Connection[Any], ids: Sequence[UUID] | None = None) -> list[Any]:
    """Claim row by row, as such workers do."""
    query = (
        "select * from notify.claim_each(%s::uuid[], 100, 'w:1', '30 s', 4, '1 hour', null,"
        " '{}'::uuid[])"
    )
    return db.execute(query, [None if ids is None else list(ids)]).fetchall()


def claim_without_priority(db: Connection[Any], ids: Sequence[UUID] | None = None) -> list[Any]:
    """Claim as workers do that know traceparents, and no priority."""
    query = (
        "select * from notify.claim(%s::uuid[], 100, 'w:1', '30 s', 4, '1 hour', null,"
        " '{tests}'::text[])"
    )
    return db.execute(query, [None if ids is None else list(ids)]).fetchall()


def claim_each_without_priority(
    db: Connection[Any], ids: Sequence[UUID] | None = None
) -> list[Any]:
    """Claim row by row, as such workers do."""
    query = (
        "select * from notify.claim_each(%s::uuid[], 100, 'w:1', '30 s', 4, '1 hour', null,"
        " '{tests}'::text[], '{}'::uuid[])"
    )
    return db.execute(query, [None if ids is None else list(ids)]).fetchall()
