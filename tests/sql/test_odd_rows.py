"""One odd row never stops a batch: it is set aside and told, and the others go on.

Each fault is one that somebody else may bring along: a trigger, a constraint, an infinite time.
"""

import json
from types import SimpleNamespace

import psycopg
import pytest

from service.model import Channel
from tests.ledger import ago, attempts_of, change, claim, enqueue, put, reap, row
from tests.ledger import release as release_batch
from tests.ledger import settle as settle_batch
from workers.store import SERVERS_OWN

ODD = "odd"  # the reference of the row at which the fault strikes

RAISES = """
create function public.fault() returns trigger language plpgsql as $$
begin if new.reference = 'odd' {when} then {act} end if; return new; end $$;
create {kind} trigger aa_fault {time} update on notify.notifications {deferred}
for each row execute function public.fault();
"""


def trigger(act, *, time="before", kind="", deferred="", when=""):
    return RAISES.format(act=act, time=time, kind=kind, deferred=deferred, when=when)


FAULTS = {
    "a trigger raises": trigger("raise exception 'no';"),
    "a trigger raises 42501": trigger("raise exception 'no' using errcode = '42501';"),
    "a trigger raises an unknown code": trigger("raise exception 'no' using errcode = 'ZZ123';"),
    "a trigger raises an internal error": trigger("raise exception 'no' using errcode = 'XX000';"),
    "an assertion fails": trigger("assert false, 'no';"),
    "a trigger finds no data": trigger("raise no_data_found;"),
    "a trigger divides by zero": trigger("perform 1 / 0;"),
    "a trigger names what is not there": trigger("perform nothing_of_that_name();"),
    "a trigger writes to what is not there": trigger("insert into public.missing values (1);"),
    "a trigger uses an array badly": trigger("new.recipient := (array['a'])['x'::int];"),
    "a trigger after the change raises": trigger("raise exception 'no';", time="after"),
    "a deferred trigger raises": trigger(
        "raise exception 'no';",
        time="after", kind="constraint", deferred="deferrable initially deferred",
    ),
    "a trigger skips the row": trigger("return null;"),
    "a constraint of a later day": (
        "alter table notify.notifications add constraint odd"
        " check (reference is distinct from 'odd' or status = '{status}') not valid"
    ),
}  # fmt: skip


@pytest.fixture
def db(shared_db):
    yield shared_db
    shared_db.execute("drop function if exists public.fault cascade")
    for table in ("notifications", "attempts"):
        shared_db.execute(f"alter table notify.{table} drop constraint if exists odd")
    shared_db.execute("reset client_encoding")


@pytest.fixture(params=FAULTS)
def fault(request, db):
    """Make the fault strike, from now on, what would leave `status`."""

    def strike(status):
        db.execute(FAULTS[request.param].replace("{status}", status))

    return strike


def one_odd_among(db, n=9):
    ids = enqueue(db, n)
    change(db, ids[n // 2], reference=ODD)
    return ids, ids[n // 2]


def claim_all(db, ids, *, skip=()):
    """Do what Store.claim does: the batch, and if it fails the same without the odd ones."""
    wanted = None if ids is None else list(ids)
    try:
        return claim(db, wanted)
    except psycopg.Error as error:
        assert not error.sqlstate.startswith(SERVERS_OWN)
    return db.execute(
        "select * from notify.claim_each(%s::uuid[], 100, 'w:1', '30 s', 4, '1 hour', %s::uuid[])",
        [wanted, list(skip)],
    ).fetchall()


def settle_all(db, pairs, outcome="sent"):
    """Do what Store.settle does."""
    try:
        return settle_batch(db, pairs, outcome)
    except psycopg.Error as error:
        assert not error.sqlstate.startswith(SERVERS_OWN)
    n = len(pairs)
    schedules = json.dumps({channel: [5] for channel in Channel})
    return db.execute(
        "select * from notify.settle_each(%s::uuid[], %s::integer[], %s::text[], %s::text[],"
        " %s::text[], %s::integer[], %s::integer[], %s::integer[], 'w:1', %s::jsonb, '1 hour')",
        [[p.id for p in pairs], [p.attempt for p in pairs], [outcome] * n, ["200"] * n,
         [None] * n, [20] * n, [10] * n, [None] * n, schedules],
    ).fetchall()  # fmt: skip


def release_all(db, pairs):
    """Do what Store.release does."""
    try:
        return [
            SimpleNamespace(id=r.id, attempt=r.attempt, error=None)
            for r in release_batch(db, pairs)
        ]
    except psycopg.Error as error:
        assert not error.sqlstate.startswith(SERVERS_OWN)
    return db.execute(
        "select * from notify.release_each(%s::uuid[], %s::integer[], '0')",
        [[p.id for p in pairs], [p.attempt for p in pairs]],
    ).fetchall()


@pytest.mark.parametrize("by_id", [True, False])
def test_a_claim_goes_on_without_the_odd_row(db, fault, by_id):
    ids, odd = one_odd_among(db)
    fault("queued")
    got = claim_all(db, ids if by_id else None)
    assert {g.id: g.status for g in got} == {
        id: "refused" if id == odd else "sending" for id in ids
    }
    assert (row(db, odd).status, row(db, odd).attempt) == ("queued", 0)


def test_a_settle_goes_on_without_the_odd_row(db, fault):
    ids, odd = one_odd_among(db)
    got = claim(db, ids)
    fault("sending")
    for outcome in ("sent", "temporary"):
        told = settle_all(db, [g for g in got if g.id == odd or outcome == "sent"], outcome)
        assert {t.id for t in told if t.status == "refused"} == {odd}
    assert {row(db, id).status for id in ids if id != odd} == {"sent"}
    assert row(db, odd).status == "sending"
    assert attempts_of(db, odd) == []
    count = "select sum(count)::integer as n from notify.slo_deltas"
    assert db.execute(count).fetchone().n == len(ids) - 1


def test_a_release_goes_on_without_the_odd_row(db, fault):
    ids, odd = one_odd_among(db)
    got = claim(db, ids)
    fault("sending")
    told = release_all(db, got)
    assert {t.id for t in told if t.error is None} == set(ids) - {odd}
    assert {row(db, id).status for id in ids if id != odd} == {"queued"}
    assert row(db, odd).status == "sending"


def test_a_reap_goes_on_without_the_odd_row(db, fault):
    ids, odd = one_odd_among(db)
    claim(db, ids, lease="-1 second")
    fault("sending")
    told = reap(db)
    assert {t.id for t in told if t.status == "refused"} == {odd}
    assert {t.id for t in told if t.status == "queued"} == set(ids) - {odd}
    assert row(db, odd).status == "sending"


def test_odd_rows_at_the_head_do_not_starve_those_behind_them(db, fault):
    odd = enqueue(db, 5, reference=ODD)
    good = enqueue(db, 3)
    fault("queued")
    skip = set()
    for _ in range(5):
        try:
            got = claim(db, None, limit=2) if not skip else []
        except psycopg.Error:
            got = []
        if not got:
            got = db.execute(
                "select * from notify.claim_each(null, 2, 'w:1', '30 s', 4, '1 hour', %s::uuid[])",
                [list(skip)],
            ).fetchall()
        assert len(got) <= 2
        skip |= {g.id for g in got if g.status == "refused"}
    assert skip == set(odd)
    assert {row(db, id).status for id in good} == {"sending"}


def test_odd_leases_at_the_head_do_not_starve_those_behind_them(db, fault):
    odd = enqueue(db, 5, reference=ODD)
    good = enqueue(db, 3)
    claim(db, odd, lease="-10 seconds")
    claim(db, good, lease="-1 second")
    fault("sending")
    told = reap(db, limit=2) + reap(db, limit=2)
    assert {t.id for t in told if t.status == "queued"} == set(good)


def test_a_row_that_only_a_move_offends_is_put_off_and_says_why(db):
    ids, odd = one_odd_among(db)
    db.execute(trigger("raise exception 'not this one';", when="and new.status = 'sending'"))
    claim_all(db, ids)
    kept = row(db, odd)
    assert (kept.status, kept.last_error_code, kept.last_error) == (
        "queued",
        "refused",
        "not this one",
    )
    assert 50 < (kept.due_at - ago(db, "0")).total_seconds() <= 60
    assert claim(db, None) == []


def test_a_lease_that_cannot_be_ended_is_put_off_and_says_why(db):
    ids, odd = one_odd_among(db)
    claim(db, ids, lease="-1 second")
    db.execute(trigger("raise exception 'not this one';", when="and new.status <> 'sending'"))
    reap(db)
    assert row(db, odd).last_error == "not this one"
    assert reap(db) == []


@pytest.mark.parametrize("infinite", ["infinity", "-infinity"])
@pytest.mark.parametrize("column", ["expires_at", "due_at", "created_at", "send_at",
                                    "first_claimed_at"])  # fmt: skip
def test_no_infinite_time_stops_a_batch_or_cannot_be_read(db, column, infinite):
    ids, odd = one_odd_among(db)
    change(db, odd, **{column: infinite})
    got = [g for g in claim(db, ids) if g.status == "sending"]
    assert {g.id for g in got} | {odd} == set(ids)
    assert all(g.patience_in.total_seconds() <= 3600 for g in got)
    again = settle_batch(db, got, "throttled")
    assert {t.status for t in again} <= {"queued", "expired", "failed"}
    for id in ids:
        change(db, id, due_at=ago(db, "0"), lease_until=None) if id != odd else None
    left = claim(db, [id for id in ids if id != odd], lease="-1 second")
    assert len(left) == len(ids) - 1
    assert len(reap(db)) == len(left)


def test_an_attempt_at_the_end_of_its_numbers_does_not_stop_the_others(db):
    ids = enqueue(db, 3)
    odd = put(db, "queued", attempt=2**31 - 1, max_attempts=2**31 - 1)
    got = claim_all(db, [*ids, odd])
    assert {g.id for g in got if g.status == "sending"} == set(ids)
    assert {g.id for g in got if g.status == "refused"} == {odd}


def test_a_limit_of_attempts_that_cannot_rise_does_not_stop_the_others(db):
    ids = enqueue(db, 3)
    [odd] = enqueue(db)
    change(db, odd, max_attempts=2**31 - 1)
    got = claim(db, [*ids, odd])
    assert {r.id for r in release_all(db, got) if r.error is None} == set(ids)
    assert [t.status for t in settle_all(db, [g for g in got if g.id == odd], "throttled")] == [
        "refused"
    ]


def test_an_attempt_that_somebody_has_written_already_ends_by_the_reaper(db):
    ids, odd = one_odd_among(db)
    got = claim(db, ids, lease="-1 second")
    db.execute(
        "insert into notify.attempts (notification_id, attempt, started_at, outcome, worker)"
        " values (%s, 1, now(), 'sent', 'x')",
        [odd],
    )
    assert {t.id for t in settle_all(db, got) if t.status == "refused"} == {odd}
    assert [(r.id, r.status) for r in reap(db)] == [(odd, "queued")]


def test_a_rule_of_one_days_attempts_costs_its_row_only(db):
    ids, odd = one_odd_among(db)
    got = claim(db, ids)
    db.execute(f"alter table notify.attempts add constraint odd check (notification_id <> '{odd}')")
    assert {t.id for t in settle_all(db, got) if t.status == "refused"} == {odd}
    assert {row(db, id).status for id in ids if id != odd} == {"sent"}


def test_a_client_that_cannot_be_told_of_a_text_gets_the_others(db):
    ids, odd = one_odd_among(db)
    change(db, odd, payload=json.dumps({"name": "\u4f60\u597d"}, ensure_ascii=False))
    db.execute("set client_encoding = 'latin1'")
    got = claim_all(db, ids)
    assert {g.id for g in got if g.status == "sending"} == set(ids) - {odd}
    assert {g.id for g in got if g.status == "refused"} == {odd}


@pytest.mark.parametrize("state", [s for s in SERVERS_OWN if len(s) == 2] + ["55P03"])
def test_what_the_server_says_of_itself_blames_no_row(db, state):
    code = state.ljust(5, "0")
    query = "select notify.blames_row(%s) as a, notify.blames_row('23514') as b"
    assert tuple(db.execute(query, [code]).fetchone()) == (False, True)


def test_a_failure_of_the_server_is_not_taken_for_an_odd_row(db):
    ids, _ = one_odd_among(db)
    db.execute(trigger("raise exception 'no' using errcode = '53100';"))
    with pytest.raises(psycopg.errors.DiskFull):
        db.execute(
            "select * from notify.claim_each(%s::uuid[], 100, 'w:1', '30 s', 4, '1 h')", [ids]
        )
    assert {row(db, id).status for id in ids} == {"queued"}
