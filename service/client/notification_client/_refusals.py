"""What PostgreSQL said, whichever driver brings it."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from notification_client.errors import Dropped, KeyReusedInSql, NotificationError, Refused

CHECK_VIOLATION = "23514"
KEY_REUSED = "ND004"
DROPPED = "ND007"
CAUSES_MAX = 5


@contextmanager
def refusals() -> Generator[None]:
    """Raise our errors from the driver's where the service refused; all others are the driver's.

    So what retries after a deadlock, a serialization failure or a lost connection still sees it.
    """
    try:
        yield
    except Exception as error:
        refusal = refusal_in(error)
        if refusal is None:
            raise
        raise refusal from error


def refusal_in(error: BaseException) -> NotificationError | None:
    """Look for the service's refusal in an error and in what it was raised from."""
    looked_at: BaseException | None = error
    for _ in range(CAUSES_MAX):
        if looked_at is None:
            return None
        if refusal := refusal_of(looked_at):
            return refusal
        orig = getattr(looked_at, "orig", None)  # SQLAlchemy's
        looked_at = orig if isinstance(orig, BaseException) else looked_at.__cause__
    return None


def refusal_of(error: BaseException) -> NotificationError | None:
    """Read one error: psycopg's and psycopg2's have the fields in `diag`, asyncpg's on itself."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if state == DROPPED:
        return Dropped(field(error, "message"))
    if state not in (CHECK_VIOLATION, KEY_REUSED) or field(error, "schema") != "notify":
        return None
    kind = KeyReusedInSql if state == KEY_REUSED else Refused
    return kind(
        field(error, "message"),
        rule=field(error, "constraint"),
        column=field(error, "column"),
        hint=field(error, "hint"),
    )


# field -> (psycopg's and psycopg2's name, asyncpg's)
NAMES = {
    "message": ("message_primary", "message"),
    "schema": ("schema_name", "schema_name"),
    "constraint": ("constraint_name", "constraint_name"),
    "column": ("column_name", "column_name"),
    "hint": ("message_hint", "hint"),
}


def field(error: BaseException, name: str) -> str:
    """Return a field of the server's message, or an empty text."""
    of_diag, of_asyncpg = NAMES[name]
    diag: Any = getattr(error, "diag", None)
    value = getattr(error, of_asyncpg, None) if diag is None else getattr(diag, of_diag, None)
    return str(value or "")
