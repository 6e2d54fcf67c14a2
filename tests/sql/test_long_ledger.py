"""A thousand days: no function opens more of them than on a ledger of thirty.

Counted in locks, of which a server has few thousands for all its sessions, and not in time.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from service.model.words import Channel
from tests.explaining import beat, note, state
from tests.ledger import ago, change, claim, enqueue, put, restore
from tests.sql.long import connected, ledger_of, old_id

pytestmark = pytest.mark.slow  # a thousand days

FAR = 25  # days back: on both ledgers
Call = tuple[str, list[Any]]

SETTLE = (
    "notify.settle%s(%%s::uuid[], %%s::int[], %%s::text[], %%s::text[], %%s::text[], %%s::int[],"
    " %%s::int[], %%s::int[], 'w:1', %%s::jsonb, '1 hour')"
)


@pytest.fixture(scope="module")
def short_url(servers: Any, database_server: Any, migrated: Any) -> Iterator[str]:
    with ledger_of(30, servers, database_server, migrated) as url:
        yield url


@pytest.fixture(scope="module")
def endless_url(servers: Any, database_server: Any, migrated: Any) -> Iterator[str]:
    with ledger_of(1000, servers, database_server, migrated) as url:
        yield url


def queued(db: Any) -> list[UUID]:
    return [*enqueue(db, 3), restore(db, id=old_id(db, FAR)).id]


def claimed(db: Any) -> list[Any]:
    return list(claim(db, queued(db)))


def of_claimed(verb: str) -> Callable[[Any], Call]:
    def call(db: Any) -> Call:
        rows = claimed(db)
        return f"{verb}(%s, %s, '0')", [[r.id for r in rows], [r.attempt for r in rows]]

    return call


def settling(each: str, outcome: str) -> Callable[[Any], Call]:
    def call(db: Any) -> Call:
        rows = claimed(db)
        alike = [[value] * len(rows) for value in (outcome, "200", None, 20, 10, None)]
        schedules = json.dumps({channel: [5] for channel in Channel})
        return SETTLE % each, [[r.id for r in rows], [r.attempt for r in rows], *alike, schedules]

    return call


def of_queued(call: str) -> Callable[[Any], Call]:
    return lambda db: (call, [queued(db)])


def passed(call: str) -> Callable[[Any], Call]:
    def prepared(db: Any) -> Call:
        for row in claimed(db):
            change(db, row.id, lease_until=ago(db, "1 minute"))
        return call, []

    return prepared


def plain(call: str) -> Callable[[Any], Call]:
    def prepared(db: Any) -> Call:
        queued(db)
        return call, []

    return prepared


def redriving(db: Any) -> Call:
    ids = [put(db, "failed", id=old_id(db, days)) for days in (1, FAR)]
    call = f"notify.redrive(100000, null, %s, {', '.join(['null'] * 8)}, 100, 3, 10, false)"
    return call, [ids]


def probing(db: Any) -> Call:
    beat(db)
    note(db, state("https://hooks.example"))
    return "notify.ask_probe('webhook', 'https://hooks.example', null)", []


ONE = '[{"channel": "log", "recipient": "r", "payload": {}}]'
ODD = ONE.replace("]", ', {"channel": "?", "recipient": "r", "payload": {}}]')
CLAIM = "(%s::uuid[], 500, 'w:1', '30 s', 4, '1 hour', null)"
CALLS: dict[str, Callable[[Any], Call]] = {
    "enqueue_all": plain(f"notify.enqueue_all('{ONE}')"),
    "enqueue": plain(f"notify.enqueue('{ODD}', '2 s')"),
    "claim": of_queued("notify.claim" + CLAIM),
    "claim of what is gone": lambda db: ("notify.claim" + CLAIM, [[old_id(db, 0)]]),
    "claim of none": lambda db: ("notify.claim" + CLAIM, [[]]),
    "claim of any": plain("notify.claim" + CLAIM % "null"),
    "claim_each": of_queued("notify.claim_each" + CLAIM),
    "claim_each of any": plain("notify.claim_each" + CLAIM % "null"),
    "settle": settling("", "sent"),
    "settle of failures": settling("", "temporary"),
    "settle of none": lambda db: (SETTLE % "", [*[[]] * 8, "{}"]),
    "settle_each": settling("_each", "sent"),
    "release": of_claimed("notify.release"),
    "release of none": lambda db: ("notify.release('{}', '{}', '0')", []),
    "release_each": of_claimed("notify.release_each"),
    "cancel": of_queued("notify.cancel(%s)"),
    "cancel of none": lambda db: ("notify.cancel('{}')", []),
    "due": plain("notify.due('{0,1,2,3}', '{null,null,null,null}', 1000)"),
    "reconcile": plain("notify.reconcile(1000)"),
    "reap": passed("notify.reap(1000, '0')"),
    "reap of none": plain("notify.reap(1000, '0')"),
    "next_lease_in": passed("notify.next_lease_in()"),
    "held": passed("notify.held('w:1', 10)"),
    "stuck": passed("notify.stuck('1 minute', 5)"),
    "failing": plain("notify.failing(3)"),
    "bring_strays_back": plain("notify.bring_strays_back(100)"),
    "set_due_aside": plain("notify.set_due_aside(100)"),
    "bring_back": plain("notify.bring_back(100)"),
    "due_unpaused": plain("notify.due_unpaused(100, true, '{}')"),
    "gauges": passed("notify.gauges()"),
    "vitals": plain("notify.vitals()"),
    "checkup": passed("notify.checkup(null)"),
    "fold_slo": plain("notify.fold_slo(1000)"),
    "redrive of ids": redriving,
    "redrive of what matches": lambda db: (
        f"notify.redrive(100000, null, null, 'log', {', '.join(['null'] * 7)}, 100, 3, 10, false)",
        [],
    ),
    "cancel of what matches": plain(
        f"notify.cancel_matching(100000, null, 'log', {', '.join(['null'] * 6)}, 100, false)"
    ),
    "cancel of a reference": plain(
        "notify.cancel_matching(100000, null, null, null, 'r', null, null, null, null, 100, false)"
    ),
    "ask_probe": probing,
    "make_days": plain("notify.make_days(7, '10 years')"),
    "drop_days": plain("notify.drop_days('10 years', 1)"),
    "sweep_default": plain("notify.sweep_default('10 years', 1000)"),
    "maintenance": plain("notify.maintenance(7, '10 years', 100)"),
} | {
    f"page of {status}": plain(
        f"notify.page(null, {status}, null, {reference}, null, null, null, 'w', null, null, null,"
        " 50, 20000)"
    )
    for status, reference in (
        ("null", "null"), ("'queued'", "null"), ("'sending'", "null"), ("'failed'", "null"),
        ("'sent'", "null"), ("null", "'none'"),
    )
}  # fmt: skip


def locks(url: str, prepare: Callable[[Any], Call]) -> int:
    """Count the relations that a session's first call holds, when it plans."""
    with connected(url) as db:
        db.execute("delete from notify.notifications_default")
        call, args = prepare(db)
    with psycopg.connect(url) as db:
        db.execute(f"select * from {call}", args)
        query = (
            "select count(distinct relation) from pg_locks"
            " where pid = pg_backend_pid() and locktype = 'relation'"
        )
        [count] = db.execute(query).fetchone() or [0]
        db.rollback()
    return int(count)


@pytest.mark.parametrize("name", CALLS)
def test_a_thousand_days_take_no_more_locks_than_thirty(short_url, endless_url, name):
    few, many = (locks(url, CALLS[name]) for url in (short_url, endless_url))
    assert many <= few + 20  # quiet_days, and what says what they are
