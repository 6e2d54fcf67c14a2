"""The verbs of the ledger, for tests: short calls of the functions in sql/, with defaults."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, cast
from uuid import UUID

from psycopg import Connection
from psycopg.sql import SQL, Identifier, Placeholder

from service.model.words import Channel

MINIMAL = {"channel": "log", "recipient": "r", "payload": "{}"}
REDRIVE = {
    "look_max": 100_000, "after": None, "ids": None, "channel": None, "code": None,
    "reference": None, "producer": None, "recipients": None, "destination": None, "from": None,
    "until": None, "limit": 1000, "attempts": 4, "rate": 100.0, "dry_run": False,
}  # fmt: skip
CANCEL = {
    "look_max": 100_000, "after": None, "channel": None, "producer": None, "reference": None,
    "recipients": None, "destination": None, "from": None, "until": None, "limit": 1000,
    "dry_run": False,
}  # fmt: skip
SETTLED = ("sent", "failed", "cancelled", "expired")


def insert(db: Connection[Any], **columns: Any) -> Any:
    """INSERT one row as a producer would, and return it."""
    row = MINIMAL | columns
    query = SQL("insert into notify.notifications ({}) values ({}) returning *").format(
        SQL(", ").join(map(Identifier, row)), SQL(", ").join(map(Placeholder, row))
    )
    return db.execute(query, row).fetchone()


def enqueue(db: Connection[Any], n: int = 1, **columns: Any) -> list[UUID]:
    """Insert `n` rows alike in one statement; their ids in order."""
    row = MINIMAL | columns
    query = SQL(
        "insert into notify.notifications ({}) select {} from generate_series(1, {}) returning id"
    ).format(SQL(", ").join(map(Identifier, row)), SQL(", ").join(map(Placeholder, row)), n)
    return sorted(r.id for r in db.execute(query, row))


def restore(db: Connection[Any], **columns: Any) -> Any:
    """INSERT one row as a restored dump would: without triggers, but with the CHECKs."""
    with db.transaction():
        db.execute("set local session_replication_role = replica")
        return insert(db, **columns)


def put(db: Connection[Any], status: str, *, id: UUID | None = None, **columns: Any) -> UUID:
    """Place a row in any state that the constraints allow; its day is that of `id`."""
    new = insert(db) if id is None else restore(db, id=id)
    state = {"attempt": 0, "max_attempts": 4, "status": status}
    if status == "sending":
        state |= {"attempt": 1, "lease_until": ago(db, "-30 seconds"), "claimed_by": "w:1"}
    if status in SETTLED:
        state |= {"attempt": 1, "settled_at": new.created_at}
    change(db, new.id, **(state | columns))
    return new.id


def change(db: Connection[Any], id: UUID, **columns: Any) -> None:
    """Move time for one row: UPDATE its columns directly."""
    sets = SQL(", ").join(SQL("{} = {}").format(Identifier(c), Placeholder(c)) for c in columns)
    query = SQL("update notify.notifications set {} where id = %(id)s").format(sets)
    assert db.execute(query, columns | {"id": id}).rowcount == 1


def unbind(db: Connection[Any]) -> str:
    """Drop the constraint on times, as somebody may; return the SQL that adds it again."""
    name = "times_are_within_1970_and_9999"
    query = (
        "select pg_get_constraintdef(oid) as words from pg_constraint where conname = %s limit 1"
    )
    words = db.execute(query, [name]).fetchone().words.removesuffix(" NOT VALID")
    db.execute(SQL("alter table notify.notifications drop constraint {}").format(Identifier(name)))
    return f"alter table notify.notifications add constraint {name} {words} not valid"


def forget_audit(db: Connection[Any], *, change: str = "delete from notify.audit") -> None:
    """Empty the audit, or move its times: as only who switches triggers off can."""
    with db.transaction():
        db.execute("set local session_replication_role = replica")
        db.execute(change)


def ago(db: Connection[Any], interval: str) -> Any:
    """Give the database's time, an interval ago."""
    return db.execute("select clock_timestamp() - %s::interval as t", [interval]).fetchone().t


def row(db: Connection[Any], id: UUID | str) -> Any:
    """Read one notification."""
    return db.execute("select * from notify.notifications where id = %s", [id]).fetchone()


def status(db: Connection[Any], id: UUID | str) -> str:
    """Read one notification's status."""
    return str(row(db, id).status)


def attempts_of(db: Connection[Any], id: UUID) -> list[Any]:
    """Read one notification's ended attempts, in order."""
    query = "select * from notify.attempts where notification_id = %s order by attempt"
    return db.execute(query, [id]).fetchall()


def claim(
    db: Connection[Any],
    ids: Sequence[UUID] | None = None,
    *,
    limit: int = 100,
    worker: str = "w:1",
    lease: str = "30 seconds",
    max_attempts: int = 4,
    patience: str = "1 hour",
    environment: str | None = None,
) -> list[Any]:
    """Claim `ids`, or whatever is due."""
    asked = None if ids is None else list(ids)
    return db.execute(
        "select * from notify.claim(%s::uuid[], %s, %s, %s::interval, %s, %s::interval, %s,"
        " '{tests}'::text[], false)",
        [asked, limit, worker, lease, max_attempts, patience, environment],
    ).fetchall()


def settle(
    db: Connection[Any],
    claimed: Iterable[Any],
    outcome: str = "sent",
    *,
    code: str | None = "200",
    excerpt: str | None = None,
    started_ago_ms: int = 20,
    took_ms: int = 10,
    retry_after_ms: int | None = None,
    worker: str = "w:1",
    schedule: Sequence[float] = (5, 60, 600),
    patience: str = "1 hour",
) -> list[Any]:
    """Settle claimed rows (anything with id and attempt) alike; `schedule` in seconds."""
    schedules = json.dumps({channel: list(schedule) for channel in Channel})
    pairs = list(claimed)
    alike = [
        [value] * len(pairs)
        for value in (outcome, code, excerpt, started_ago_ms, took_ms, retry_after_ms)
    ]
    return db.execute(
        "select * from notify.settle(%s::uuid[], %s::integer[], %s::text[], %s::text[], %s::text[],"
        " %s::integer[], %s::integer[], %s::integer[], %s, %s::jsonb, %s::interval)",
        [[p.id for p in pairs], [p.attempt for p in pairs], *alike, worker, schedules, patience],
    ).fetchall()


def claim_each(
    db: Connection[Any],
    ids: Sequence[UUID] | None = None,
    *,
    limit: int = 100,
    skip: Iterable[UUID] = (),
) -> list[Any]:
    """Claim as above, but a row at fault does not stop the others."""
    return db.execute(
        "select * from notify.claim_each("
        "%s::uuid[], %s, 'w:1', '30 s', 4, '1 hour', null, '{tests}'::text[], false,"
        " %s::uuid[])",
        [None if ids is None else list(ids), limit, list(skip)],
    ).fetchall()


def settle_each(
    db: Connection[Any], claimed: Iterable[Any], outcome: str = "sent", *, ends: str = "1 second"
) -> list[Any]:
    """Settle claimed rows alike, but a row at fault does not stop the others."""
    pairs = list(claimed)
    alike = [[value] * len(pairs) for value in (outcome, "200", None, 20, 10, None)]
    return db.execute(
        "select * from notify.settle_each(%s::uuid[], %s::integer[], %s::text[], %s::text[],"
        " %s::text[], %s::integer[], %s::integer[], %s::integer[], 'w:1', '{}', '1 hour',"
        " clock_timestamp() + %s::interval)",
        [[p.id for p in pairs], [p.attempt for p in pairs], *alike, ends],
    ).fetchall()


def note_refused(
    db: Connection[Any], claimed: Any, outcome: str = "sent", *, patience: str = "1 hour"
) -> None:
    """Write down an attempt whose notification could not be moved."""
    db.execute(
        "select notify.note_refused(%s, %s, %s, '200', null, 20, 10, 'w:1', %s, 'no')",
        [claimed.id, claimed.attempt, outcome, patience],
    )


def release_each(db: Connection[Any], claimed: Iterable[Any]) -> list[Any]:
    """Give claimed rows back, but a row at fault does not stop the others."""
    pairs = list(claimed)
    return db.execute(
        "select * from notify.release_each(%s::uuid[], %s::integer[], '0')",
        [[p.id for p in pairs], [p.attempt for p in pairs]],
    ).fetchall()


def end_leases(db: Connection[Any], ids: Iterable[UUID]) -> list[Any]:
    """End the attempts among these whose lease has passed."""
    return db.execute("select * from notify.end_leases(%s::uuid[])", [list(ids)]).fetchall()


def release(db: Connection[Any], claimed: Iterable[Any], delay: str = "0") -> list[Any]:
    """Give claimed rows back unstarted."""
    pairs = list(claimed)
    return db.execute(
        "select * from notify.release(%s::uuid[], %s::integer[], %s::interval)",
        [[p.id for p in pairs], [p.attempt for p in pairs], delay],
    ).fetchall()


def reap(db: Connection[Any], limit: int = 100, grace: str = "0") -> list[Any]:
    """End the attempts whose lease has passed."""
    return db.execute("select * from notify.reap(%s, %s::interval)", [limit, grace]).fetchall()


def take_back(db: Connection[Any], id: UUID) -> None:
    """Let a claim's lease pass and be reaped; the row is due an hour later.

    In one transaction: in between, a worker would claim it again.
    """
    with db.transaction():
        change(db, id, lease_until=ago(db, "1 second"))
        reap(db)
        change(db, id, due_at=ago(db, "-1 hour"))


def cancel(db: Connection[Any], ids: Iterable[UUID]) -> list[Any]:
    """Call off what is queued."""
    return db.execute("select * from notify.cancel(%s::uuid[])", [list(ids)]).fetchall()


def pause(db: Connection[Any], kind: str, name: str, **more: Any) -> int:
    """Pause; arguments by their names in SQL, without the `p_`. Returns the id."""
    which = {"kind": kind, "name": name} | more
    named = SQL(", ").join(
        SQL("{} => {}").format(Identifier(f"p_{key}"), Placeholder(key)) for key in which
    )
    found = db.execute(SQL("select id from notify.pause({})").format(named), which).fetchone()
    assert found is not None
    id: int = found.id
    return id


def resume(db: Connection[Any], id: int) -> bool:
    """End a pause."""
    found = db.execute("select notify.resume(%s) as at", [id]).fetchone()
    assert found is not None
    return found.at is not None


def set_due_aside(db: Connection[Any], limit: int = 1000) -> int | None:
    """Set aside what is paused at the head of the queue; how many, None if nothing is paused."""
    [(count,)] = db.execute("select notify.set_due_aside(%s)", [limit]).fetchall()
    return cast("int | None", count)


def bring_back(db: Connection[Any], limit: int = 1000) -> int:
    """Bring back what has waited for pauses that were resumed; how many."""
    [(count,)] = db.execute("select notify.bring_back(%s)", [limit]).fetchall()
    return cast("int", count)


def bring_strays_back(db: Connection[Any], limit: int = 1000) -> int:
    """Bring back what waits for a pause that is not there; how many."""
    [(count,)] = db.execute("select notify.bring_strays_back(%s)", [limit]).fetchall()
    return cast("int", count)


def paused(db: Connection[Any], id: int | None = None, count_max: int = 10_000) -> list[Any]:
    """List the pauses, newest first."""
    return db.execute("select * from notify.paused(%s, %s)", [id, count_max]).fetchall()


def cancel_matching(db: Connection[Any], **which: Any) -> Any:
    """Call off what matches; arguments by their names in SQL, without the `p_`.

    Returns matched, cancelled and more; cancel_in_pieces() also returns the cursor.
    """
    return called(db, "cancel_matching", "matched, cancelled, more", CANCEL | which)


def cancel_in_pieces(db: Connection[Any], **which: Any) -> list[Any]:
    """Call off what matches, and go on with the cursor while there is one."""
    return pieces(db, "cancel_matching", CANCEL | which)


def redrive(db: Connection[Any], **which: Any) -> Any:
    """Queue dead letters again; arguments by their names in SQL, without the `p_`.

    Returns matched, redriven, expired and more; redrive_in_pieces() also returns the cursor.
    """
    return called(db, "redrive", "matched, redriven, expired, more", REDRIVE | which)


def redrive_in_pieces(db: Connection[Any], **which: Any) -> list[Any]:
    """Redrive, and go on with the cursor while there is one."""
    return pieces(db, "redrive", REDRIVE | which)


def pieces(db: Connection[Any], function: str, which: dict[str, Any]) -> list[Any]:
    """Call a function again from where it ended, while there is a cursor."""
    rows = [called(db, function, "*", which)]
    while rows[-1].following is not None:
        rows.append(called(db, function, "*", which | {"after": rows[-1].following}))
    return rows


def called(db: Connection[Any], function: str, columns: str, which: dict[str, Any]) -> Any:
    """Call a function of one row, with its arguments by name."""
    named = SQL(", ").join(
        SQL("{} => {}").format(Identifier(f"p_{name}"), Placeholder(name)) for name in which
    )
    query = SQL("select {} from {}({})").format(SQL(columns), Identifier("notify", function), named)
    return db.execute(query, which).fetchone()


def due(
    db: Connection[Any],
    limit: int = 100,
    *,
    lanes: Sequence[int] = (0, 1, 2, 3),
    floors: Sequence[float | None] | None = None,
) -> dict[int, Any]:
    """Look at lanes; the answers by priority."""
    rows = db.execute(
        "select * from notify.due(%s::smallint[], %s::double precision[], %s)",
        [list(lanes), list(floors or [None] * len(lanes)), limit],
    )
    return {r.priority: r for r in rows}


def keep_partitions(db: Connection[Any], ahead: int = 7, retention: str = "30 days") -> list[Any]:
    """Make and drop partitions; return what was done, as (action, partition)."""
    query = "select * from notify.keep_partitions(%s, %s::interval)"
    return [tuple(r) for r in db.execute(query, [ahead, retention])]


def fold_slo(db: Connection[Any], limit: int = 1000) -> list[Any]:
    """Move what ended lately into slo_daily."""
    return db.execute("select * from notify.fold_slo(%s)", [limit]).fetchall()


def counted(db: Connection[Any]) -> dict[Any, int]:
    """Give what slo_deltas and slo_daily count together: (day, channel, priority, result) -> n."""
    return as_dict(
        db,
        "select day, channel, priority, result, sum(count)::bigint as n from ("
        "  select day, channel, priority, result, count from notify.slo_deltas"
        "  union all"
        "  select day, channel, priority, r.result, r.count from notify.slo_daily,"
        "    lateral (values ('in_time', in_time), ('late', late), ('failed', failed),"
        "      ('expired', expired)) as r(result, count)"
        ") as both_tables group by 1, 2, 3, 4 having sum(count) <> 0",
    )


def ended(db: Connection[Any]) -> dict[Any, int]:
    """Count the same in the notifications themselves."""
    return as_dict(
        db,
        "select (settled_at at time zone 'utc')::date as day, channel, priority,"
        "  case when status <> 'sent' then status"
        "    when settled_at - greatest(created_at, send_at) <= interval '10 seconds'"
        "    then 'in_time' else 'late' end as result, count(*) as n"
        " from notify.notifications where status in ('sent', 'failed', 'expired')"
        " group by 1, 2, 3, 4",
    )


def as_dict(db: Connection[Any], query: str) -> dict[Any, int]:
    """Return the last column by the others."""
    return {tuple(r[:-1]): r[-1] for r in db.execute(query)}
