"""Poolers between us and PostgreSQL: which URL leads to one, and what cannot go through it.

In transaction pooling each transaction gets a session that is free, so locks, LISTEN and migrations
need DATABASE_DIRECT_URL. Everything else works through a pooler (ops/adr/0013-sessions.md).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from service.config.settings import Settings
from service.errors import DatabaseAway, StartError, Unfit
from service.ledger.connection import Connection, connect
from service.ledger.db import translated

LOOKS = 5  # at the sessions of a connection: on a busy pooler one look may see no change
SESSION = "select pg_catalog.pg_backend_pid()"


async def refuse_unfit(settings: Settings) -> DatabaseAway | None:
    """Refuse, before anything starts, a database that cannot serve us. Raises StartError.

    One that is away is not refused, as every role waits for it. Returns why it is away.
    """
    url, direct_url = settings.database_url or "", settings.direct_url or ""
    try:
        if await shares_sessions(direct_url):
            raise StartError(pooled(settings))
        if url != direct_url:
            async with connected(url):
                pass
    except Unfit as error:
        raise StartError(str(error)) from error
    except DatabaseAway as error:
        return error
    return None


def pooled(settings: Settings) -> str:
    """Say which URL must not lead to a pooler."""
    if settings.database_direct_url is None:
        return (
            "DATABASE_URL leads to a pooler whose sessions are shared: give DATABASE_DIRECT_URL as"
            " well, which goes past it"
        )
    return "DATABASE_DIRECT_URL leads to a pooler whose sessions are shared: it must go past it"


async def shares_sessions(url: str) -> bool:
    """Return whether connections change or share their sessions. Raises DatabaseAway."""
    async with connected(url) as first:
        if not first.pins:
            return False
        with suppress(DatabaseAway):  # the pooler's only session is taken by the first
            async with connected(url) as second:
                pids = [{await session(c) for _ in range(LOOKS)} for c in (first, second, first)]
                return len(pids[0] | pids[2]) > 1 or bool(pids[0] & pids[1])
        return False


async def session(conn: Connection) -> int:
    """Return the process id of the session that a connection has now."""
    with translated():
        return int((await (await conn.execute(SESSION)).fetchall())[0][0])


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """Connect for a moment. Raises DatabaseAway."""
    conn = await connect(url, "notify-look")
    try:
        yield conn
    finally:
        await conn.close()
