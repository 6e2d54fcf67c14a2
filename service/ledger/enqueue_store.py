"""How a notification gets into the ledger: the API's INSERTs."""

import psycopg

from service.errors import DatabaseAway, KeyInFlight, NotifyError, NotTried, Refused
from service.ledger.db import is_not_the_rows
from service.ledger.store import Store
from service.model.notification import Accepted

ENQUEUE_ALL = "select ord, id, created_at from notify.enqueue_all(%s::jsonb)"
ENQUEUE_KEYED = "select ord, id, created_at, replayed from notify.enqueue_keyed(%s::jsonb, '10 ms')"
KEY = b'"idempotency_key"'  # in a row that has one; elsewhere it does no harm
TAKES_KEY = "insert into notify.idempotency_keys"  # of enqueue_keyed() and take_key()
# Row security makes this fail, and then no row is to blame.
MAY_SEE_ROWS = "select from notify.notifications limit 0"
# A demoted primary, or a time limit; any other SQLSTATE may be about one row.
ABOUT_THE_SERVER = ("25006", "57014")
# 2 s is less than statement_timeout, which would cancel the rows before a slow one as well. Who
# holds a key was waited for by enqueue_keyed() already.
ENQUEUE = """
select ord, id, created_at, replayed, refusal from notify.enqueue(%s::jsonb, '2 s', '1 ms')
"""


class EnqueueStore(Store):
    """The one call that inserts."""

    async def enqueue(
        self, rows: bytes, *, is_in_haste: bool = False
    ) -> dict[int, Accepted | NotifyError]:
        """Insert a JSON array of rows as one commit; returns what became of each by its place.

        Places count from 1. Refused, DatabaseAway, NotTried or KeyInFlight: the row is not in the
        ledger. A place that is missing: somebody's trigger dropped the row without an error. Raises
        Refused if nothing was tried, because the array is no jsonb; KeyInFlight, only if
        `is_in_haste`, when an open transaction holds a key: then nothing is inserted.
        """
        async with self.pool.connection() as conn:
            text = rows.decode()
            try:
                cursor = await conn.execute(ENQUEUE_KEYED if KEY in rows else ENQUEUE_ALL, [text])
                return {n: Accepted(*accepted) for n, *accepted in await cursor.fetchall()}
            except psycopg.Error as error:
                if is_in_haste and is_about_a_key(error):
                    raise KeyInFlight("a key is in an open transaction") from error
                if error.sqlstate is None or error.sqlstate in ABOUT_THE_SERVER:
                    raise
                if isinstance(error, psycopg.errors.InsufficientPrivilege):
                    await conn.execute(MAY_SEE_ROWS)
            cursor = await conn.execute(ENQUEUE, [text])
            return {
                place: Accepted(*accepted) if refused is None else not_accepted(**refused)
                for place, *accepted, refused in await cursor.fetchall()
            }


def is_about_a_key(error: psycopg.Error) -> bool:
    """Return whether a lock that was not to be had in time is that of a key, not of a table."""
    is_lock = isinstance(error, psycopg.errors.LockNotAvailable)
    return is_lock and TAKES_KEY in (error.diag.context or "")


def not_accepted(
    *, code: str, message: str, constraint: str = "", column: str = "", hint: str = ""
) -> NotifyError:
    """Say why enqueue() did not insert a row."""
    if code == "ND002":
        return NotTried(message)
    if code == "ND006":
        return KeyInFlight(message)
    if is_not_the_rows(code):
        return DatabaseAway(message)
    return Refused(message, constraint=constraint, column=column, hint=hint)
