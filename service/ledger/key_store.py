"""What the API and `notify keys` ask of the ledger about API keys."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row, dict_row

from service.access.key import ApiKey, Secret, ValidKeys
from service.ledger.connection import Connection, connect
from service.ledger.db import translated

KEYS = "select * from notify.keys(%s, false)"
VALID = "select * from notify.valid_keys(%s)"
CREATE = "select notify.create_key(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
REVOKE = "select notify.revoke_key(%s, %s, %s)"
ROTATE = "select notify.rotate_key(%s, %s, %s, %s, %s, %s)"

Lend = Callable[[], AbstractAsyncContextManager[Connection]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What a new key is given. None of `channels` and `recipients`: all; of the others: none."""

    producer: str
    kind: str
    scopes: list[str]
    channels: list[str] | None = None
    recipients: list[str] | None = None
    rate_per_s: float | None = None
    burst: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class By:
    """Who asks, for the audit. None: the role of the connection."""

    producer: str | None = None
    key_id: str | None = None


class KeyStore:
    """The calls about keys. Every method may raise DatabaseAway or Refused."""

    def __init__(self, lend: Lend) -> None:
        """`lend` gives a connection for each call."""
        self._lend = lend

    async def valid(self, digest: str | None) -> ValidKeys | None:
        """Read the valid keys; None: they are still those of this digest."""
        async with self._lend() as conn:
            cursor = conn.cursor(row_factory=dict_row)
            rows = await (await cursor.execute(VALID, [digest])).fetchall()
        if not rows:
            return None
        [digest] = {row.pop("digest") for row in rows}
        return ValidKeys([ApiKey(**row) for row in rows if row["id"] is not None], digest)

    async def listed(self, id: str | None = None) -> list[ApiKey]:
        """Read every key there ever was, newest first; or this one."""
        async with self._lend() as conn:
            cursor = conn.cursor(row_factory=class_row(ApiKey))
            await cursor.execute(KEYS, [id])
            return await cursor.fetchall()

    async def create(self, secret: Secret, rights: Rights, by: By) -> str | None:
        """Keep a new key; returns None, or the code that says why it was not made."""
        return await self._said(CREATE, [
            secret.id, secret.sha256, rights.producer, rights.kind, sorted(set(rights.scopes)),
            rights.channels, rights.recipients, rights.rate_per_s, rights.burst,
            rights.expires_at, by.producer, by.key_id,
        ])  # fmt: skip

    async def revoke(self, id: str, by: By) -> bool:
        """End a key for good; returns whether there is one."""
        return bool(await self._said(REVOKE, [id, by.producer, by.key_id]))

    async def rotate(self, id: str, secret: Secret, grace: timedelta, by: By) -> str | None:
        """Make a successor; returns None, or the code that says why it was not made."""
        return await self._said(
            ROTATE, [id, secret.id, secret.sha256, grace, by.producer, by.key_id]
        )

    async def use(self, ids: list[str]) -> None:
        """Note that these were used just now."""
        await self._said("select notify.use_keys(%s)", [ids])

    async def _said(self, call: str, params: list[object]) -> str | None:
        async with self._lend() as conn:
            [(answer,)] = await (await conn.execute(call, params)).fetchall()
            said: str | None = answer
            return said


@asynccontextmanager
async def direct(url: str) -> AsyncIterator[Connection]:
    """Lend one connection of its own: for a command. Raises DatabaseAway."""
    connection = await connect(url, "notify-keys")
    try:
        with translated():
            yield connection
    finally:
        await connection.close()
