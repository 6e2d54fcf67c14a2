"""send() and send_many(): one SQL function each, in the caller's transaction.

They open nothing, commit nothing and retry nothing. With an async `db` they return an awaitable.
"""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Protocol, TypeVar, Unpack, overload
from uuid import UUID

from notification_client._drivers import Later, Values, djangos_default, driver_of
from notification_client._json import written_in_ascii
from notification_client._notification import OPTIONS, Options, read, read_all
from notification_client._refusals import refusals

Result = TypeVar("Result")

SEND = """
select cast(notify.send(
  channel => cast({channel} as text), recipient => cast({recipient} as text),
  payload => cast(cast({payload} as text) as jsonb), reference => cast({reference} as text),
  priority => cast(cast({priority} as text) as integer),
  send_at => cast(cast({send_at} as text) as timestamptz),
  expires_at => cast(cast({expires_at} as text) as timestamptz),
  idempotency_key => cast({idempotency_key} as text),
  options => cast(cast({options} as text) as jsonb)) as text)
"""
SEND_MANY = """
select cast(s.id as text)
from notify.send_many(cast(cast({notifications} as text) as jsonb)) with ordinality as s(id, place)
order by s.place
"""
NAMED = (
    "channel",
    "recipient",
    "reference",
    "priority",
    "send_at",
    "expires_at",
    "idempotency_key",
)


class FetchesOne(Protocol):
    """What a sync driver's execute() returns."""

    @property
    def fetchone(self) -> Callable[..., Any]: ...


class SyncExecutes(Protocol):
    """A psycopg Connection or Cursor, a SQLAlchemy Session or Connection."""

    @property
    def execute(self) -> Callable[..., FetchesOne]: ...


class DjangoConnection(Protocol):
    """A connection of django.db.connections."""

    @property
    def vendor(self) -> str: ...
    @property
    def cursor(self) -> Callable[..., Any]: ...


class AsyncExecutes(Protocol):
    """Their async kinds, and an asyncpg Connection."""

    @property
    def execute(self) -> Callable[..., Coroutine[Any, Any, Any]]: ...


SyncDb = SyncExecutes | DjangoConnection


@overload
def send(
    channel: str, recipient: str, payload: object, *, db: AsyncExecutes,
    **options: Unpack[Options],
) -> Coroutine[Any, Any, UUID]: ...  # fmt: skip
@overload
def send(
    channel: str, recipient: str, payload: object, *, db: SyncDb | None = None,
    **options: Unpack[Options],
) -> UUID: ...  # fmt: skip
def send(
    channel: str, recipient: str, payload: object, *, db: Any = None, **options: Unpack[Options]
) -> UUID | Coroutine[Any, Any, UUID]:
    """Queue one notification in the caller's transaction; returns its id.

    `db`: whose transaction it is; None: Django's default connection. Options: reference, priority
    (0 urgent to 3 bulk), send_at, expires_at, idempotency_key, max_attempts, traceparent and
    notify_on_end. Raises TypeError or ValueError before anything is run; Refused, KeyReused or
    Dropped when PostgreSQL has refused it; else what the driver raises. The awaitable likewise.
    """
    said = read(
        {"channel": channel, "recipient": recipient, "payload": payload, **options}, OPTIONS
    )
    return run(db, SEND, arguments(said), one)


@overload
def send_many(
    notifications: Iterable[Mapping[str, object]], *, db: AsyncExecutes
) -> Coroutine[Any, Any, list[UUID]]: ...
@overload
def send_many(
    notifications: Iterable[Mapping[str, object]], *, db: SyncDb | None = None
) -> list[UUID]: ...
def send_many(
    notifications: Iterable[Mapping[str, object]], *, db: Any = None
) -> list[UUID] | Coroutine[Any, Any, list[UUID]]:
    """Queue up to 1,000 as one statement, all or none; returns their ids in order.

    Each is a dict with channel, recipient, payload, and the options of send().
    """
    text = written_in_ascii(read_all(notifications, OPTIONS))
    return run(db, SEND_MANY, {"notifications": text}, all_of)


def arguments(said: Mapping[str, Any]) -> Values:
    """Name the arguments of notify.send(), as texts."""
    named = {name: None if said.get(name) is None else str(said[name]) for name in NAMED}
    rest = {name: said[name] for name in said if name not in (*NAMED, "payload")}
    return named | {
        "payload": written_in_ascii(said["payload"]), "options": written_in_ascii(rest),
    }  # fmt: skip


def all_of(ids: list[UUID]) -> list[UUID]:
    """Take all rows."""
    return ids


def one(ids: list[UUID]) -> UUID:
    """Take the id out of the only row."""
    [id] = ids
    return id


def run(
    db: Any, statement: str, values: Values, result: Callable[[list[UUID]], Result]
) -> Result | Coroutine[Any, Any, Result]:
    """Run it now, or return what does so when it is awaited."""
    db = djangos_default() if db is None else db
    driver = driver_of(db)
    if isinstance(driver, Later):
        return run_later(driver, db, statement, values, result)
    with refusals():
        return result([UUID(row) for row in driver.run(db, statement, values)])


async def run_later(
    driver: Later, db: Any, statement: str, values: Values,
    result: Callable[[list[UUID]], Result],
) -> Result:  # fmt: skip
    """Run it when awaited."""
    with refusals():
        return result([UUID(row) for row in await driver.run(db, statement, values)])
