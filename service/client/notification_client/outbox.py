"""What a test has enqueued, read from its own database by its own connection.

For pytest there is the fixture `outbox`; elsewhere `Outbox(db)`, with `db` as in send().
"""

import json
from abc import abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, overload
from uuid import UUID

from notification_client._drivers import Later, Now, driver_of

SHOWN_MAX = 20
BEGINNING = """
select case
  when to_regclass('notify.notifications') is null then 'no schema'
  when not has_table_privilege(to_regclass('notify.notifications'), 'select') then 'no right'
  else cast(clock_timestamp() as text) end
"""
# By the server's clock, which accept() reads for each row. An async `db` has no beginning: its
# transaction has.
READ = """
select cast(jsonb_build_object(
  'id', n.id, 'channel', n.channel, 'recipient', n.recipient, 'payload', n.payload,
  'reference', n.reference, 'priority', n.priority, 'send_at', n.send_at,
  'expires_at', n.expires_at, 'max_attempts', n.max_attempts,
  'idempotency_key', n.idempotency_key, 'producer', n.producer, 'status', n.status) as text)
from notify.notifications n
where n.created_at >= coalesce(cast({beginning} as timestamptz), transaction_timestamp())
order by n.created_at, n.id
"""
FAULTS = {
    "no schema": "this database has no schema notify: load what `notify schema` prints into it",
    "no right": (
        "outbox reads notify.notifications, which a producer may not: in the tests' database,"
        " connect as the owner of the schema, or grant select on it to this role"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueued:
    """One notification as it is in the database; its times are texts."""

    id: UUID
    channel: str
    recipient: str
    payload: Any
    reference: str | None
    priority: int
    send_at: str | None
    expires_at: str | None
    max_attempts: int | None
    idempotency_key: str | None
    producer: str
    status: str

    def __str__(self) -> str:
        text = f"{self.channel} to {self.recipient}"
        if self.reference is not None:
            text += f", reference {self.reference}"
        return f"{text}: {json.dumps(self.payload, ensure_ascii=False)}"


NAMES = frozenset(field.name for field in fields(Enqueued))


class Looks(Sequence[Enqueued]):
    """Notifications in the order in which they were enqueued, and what a test may ask of them."""

    @abstractmethod
    def rows(self) -> list[Enqueued]:
        """Give all of them."""

    def matching(self, **wanted: Any) -> list[Enqueued]:
        """Give those of this channel, recipient, payload, reference, or any other of their fields.

        A payload that is a dict matches those that have its members, and maybe more.
        """
        return matching(self.rows(), wanted)

    def assert_one(self, **wanted: Any) -> Enqueued:
        """Return the only one that matches. Raises AssertionError that shows what there is."""
        __tracebackhide__ = True
        rows = self.rows()
        found = matching(rows, wanted)
        if len(found) != 1:
            raise AssertionError(report("one", found, rows, wanted))
        return found[0]

    def assert_none(self, **wanted: Any) -> None:
        """Raise AssertionError if any matches; without arguments: if there is any."""
        __tracebackhide__ = True
        rows = self.rows()
        if found := matching(rows, wanted):
            raise AssertionError(report("none", found, rows, wanted))

    def __len__(self) -> int:
        return len(self.rows())

    def __iter__(self) -> Iterator[Enqueued]:
        return iter(self.rows())

    @overload
    def __getitem__(self, index: int) -> Enqueued: ...
    @overload
    def __getitem__(self, index: slice) -> list[Enqueued]: ...
    def __getitem__(self, index: int | slice) -> Enqueued | list[Enqueued]:
        return self.rows()[index]


class Outbox(Looks):
    """What was enqueued since it was made, as far as `db` sees it: what is rolled back is gone.

    It is read anew at each look. Of an async `db`, `await outbox` reads what its transaction has
    enqueued, and gives that. Raises RuntimeError for a database that cannot be read.
    """

    def __init__(self, db: Any) -> None:
        self._driver = driver_of(db)
        self._db = whole(db)
        self._beginning = (
            beginning(self._run(BEGINNING, {})) if isinstance(self._driver, Now) else None
        )

    def rows(self) -> list[Enqueued]:
        """Read what there is now."""
        return read(self._run(READ, {"beginning": self._beginning}))

    def __await__(self) -> Generator[Any, None, Looks]:
        if not isinstance(self._driver, Later):
            raise TypeError("this outbox is of a sync db: look at it without await")
        beginning((yield from self._driver.run(self._db, BEGINNING, {}).__await__()))
        rows = yield from self._driver.run(self._db, READ, {"beginning": None}).__await__()
        return Kept(read(rows))

    def _run(self, statement: str, values: dict[str, str | None]) -> list[str]:
        """Run a statement, and end the transaction that it opened if there was none."""
        if not isinstance(self._driver, Now):
            raise TypeError("this outbox is of an async db: look at what `await outbox` gives")
        was_open = is_open(self._db)
        try:
            return self._driver.run(self._db, statement, values)
        finally:
            if not was_open:
                self._db.rollback()


class Kept(Looks):
    """What an async outbox had when it was read."""

    def __init__(self, rows: list[Enqueued]) -> None:
        self._rows = rows

    def rows(self) -> list[Enqueued]:
        """Give what was read."""
        return self._rows


def beginning(answer: list[str]) -> str:
    """Return the time. Raises RuntimeError for a database that cannot be read."""
    if answer[0] in FAULTS:
        raise RuntimeError(FAULTS[answer[0]])
    return answer[0]


def read(rows: list[str]) -> list[Enqueued]:
    """Read what READ returns."""
    documents = [json.loads(row) for row in rows]
    return [Enqueued(**document | {"id": UUID(document["id"])}) for document in documents]


def whole(db: Any) -> Any:
    """Return what has the transaction: a cursor's connection, the session of this thread."""
    if db.__class__.__name__ == "scoped_session":
        return db()
    return db.connection if db.__class__.__name__.endswith("Cursor") else db


def is_open(db: Any) -> bool:
    """Return whether a sync `db` is in a transaction that somebody else ends."""
    if hasattr(db, "vendor"):  # Django ends its own
        return True
    if hasattr(db, "in_transaction"):  # SQLAlchemy
        return bool(db.in_transaction())
    return bool(db.info.transaction_status)  # psycopg; 0 is idle


def matching(rows: list[Enqueued], wanted: Mapping[str, Any]) -> list[Enqueued]:
    """Give the rows that differ in nothing."""
    if unknown := wanted.keys() - NAMES:
        raise TypeError(f"no such field: {min(unknown)}. Use {', '.join(sorted(NAMES))}")
    return [row for row in rows if not differences(row, wanted)]


def differences(row: Enqueued, wanted: Mapping[str, Any]) -> list[str]:
    """Name the fields, and the members of the payload, that are not as wanted."""
    found = []
    for name, value in wanted.items():
        actual = getattr(row, name)
        if name == "payload" and isinstance(value, dict) and isinstance(actual, dict):
            found += [
                f"payload[{member!r}]" for member, wish in value.items()
                if member not in actual or wish != actual[member]
            ]  # fmt: skip
        elif value != actual:
            found.append(name)
    return found


def report(
    count: str, found: list[Enqueued], rows: list[Enqueued], wanted: Mapping[str, Any]
) -> str:
    """Say what was wanted, and show what there is with what differs in each."""
    wish = ", ".join(f"{name}={value!r}" for name, value in wanted.items()) or "anything"
    lines = [f"wanted {count} with {wish}; there {'is' if len(found) == 1 else 'are'} {len(found)}"]
    lines.append(f"enqueued since the outbox was made, and not rolled back: {len(rows)}")
    for number, row in enumerate(rows[:SHOWN_MAX], 1):
        differs = ", ".join(differences(row, wanted))
        lines.append(f"  {number}. {row}")
        lines.append(f"     {f'differs in {differs}' if differs else 'matches'}")
    if len(rows) > SHOWN_MAX:
        lines.append(f"  … and {len(rows) - SHOWN_MAX} more")
    return "\n".join(lines)
