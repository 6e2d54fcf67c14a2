"""Payloads go some days after the end: each day once, what is left of it a day later."""

import json

import psycopg
import pytest

from tests.ledger import change, claim, keep_partitions, put, redrive, row
from tests.owner import force, owning
from tests.sql.faults import FAULTS, ODD
from tests.sql.long import old_id

PAYLOAD = {"n": 1}
DAYS = 10  # PAYLOAD_DAYS of these tests


@pytest.fixture
def db(db):
    """Connect to a ledger with partitions for some days."""
    query = "select notify.make_day((now() at time zone 'utc')::date - %s::int, 0)"
    for days in (1, 2, 9, 10, 11, 12, 15, 20, 30):
        db.execute(query, [days])
    return db


def ended(db, days_ago, status="sent", *, day=None, **columns):
    """Place one that ended some days ago, in the day of then (or another)."""
    at = db.execute("select clock_timestamp() - %s * interval '1 day' as t", [days_ago])
    state = {"settled_at": at.fetchone().t, "payload": '{"n": 1}'} | columns
    return put(db, status, id=old_id(db, day or days_ago), **state)


def call(db, *, limit=1000, days=DAYS):
    query = "select * from notify.empty_payloads(%s * interval '1 day', %s)"
    return db.execute(query, [days, limit]).fetchone()


def empty(db, **options):
    """Call it until there is nothing to do; what it said, without the time."""
    said = []
    while done := call(db, **options):
        said.append(done)
    return [(r.partition, r.emptied, r.is_done, r.total, r.left_over) for r in said]


def emptied(db, **options):
    """Give the total of each day that was walked, unless it is 0."""
    return {r[0]: r[3] for r in empty(db, **options) if r[2] and r[3]}


def payload(db, id):
    return row(db, id).payload


def later(db):
    """Let a day pass since each walk."""
    db.execute("update notify.emptied_days set looked_at = looked_at - interval '25 hours'")


def name(db, days_ago):
    query = (
        "select to_char((now() at time zone 'utc')::date - %s::int, '\"notifications\"_YYYYMMDD') n"
    )
    return db.execute(query, [days_ago]).fetchone().n


@pytest.mark.parametrize("status", ["sent", "failed", "cancelled", "expired"])
def test_what_ended_long_enough_ago_has_no_payload_and_else_stays(db, status):
    id = ended(db, 12, status, reference="r", last_error="x")
    before = row(db, id)
    assert emptied(db) == {name(db, 12): 1}
    now = row(db, id)
    assert (now.payload, now.emptied_at is None) == (None, False)
    assert now == before._replace(payload=None, emptied_at=now.emptied_at)


def test_a_day_is_due_when_its_last_moment_is_so_many_days_ago(db):
    ids = {days: ended(db, days) for days in (DAYS - 1, DAYS, DAYS + 1, DAYS + 2)}
    emptied(db)
    assert {days for days, id in ids.items() if payload(db, id) is None} == {DAYS + 1, DAYS + 2}


def test_the_oldest_day_comes_first_and_in_pieces(db):
    for days in (20, 20, 20, 15):
        ended(db, days)
    [first, second, third, *rest] = [r for r in empty(db, limit=2) if r[3]]
    assert first == (name(db, 20), 2, False, 2, 0)
    assert second == (name(db, 20), 1, True, 3, 0)
    assert third == (name(db, 15), 1, True, 1, 0)
    assert rest == []


def test_a_day_that_is_done_is_never_walked_again(db):
    ended(db, 12)
    empty(db)
    later(db)
    late = ended(db, 12)  # nothing of ours puts a row there so late
    assert [r[0] for r in empty(db)] == ["notifications_default"]
    assert payload(db, late) == PAYLOAD


def test_what_a_clock_that_was_ahead_marked_as_done_is_walked_again(db):
    id = ended(db, 12)
    db.execute(
        "insert into notify.emptied_days"
        " select (now() at time zone 'utc')::date - n, null, 0, 0, '0', now() + interval '70 years'"
        " from generate_series(-7, 12) n"
    )
    assert emptied(db) == {name(db, 12): 1}
    assert payload(db, id) is None
    assert empty(db) == [], "once"


def test_what_had_not_ended_is_left_and_taken_a_day_after_its_time(db):
    done = ended(db, 12)
    waiting = put(db, "queued", id=old_id(db, 12), payload='{"n": 1}', due_at="2100-01-01Z")
    sending = put(db, "sending", id=old_id(db, 12), payload='{"n": 1}')
    lately = ended(db, 2, "failed", day=12)
    [walk] = [r for r in empty(db) if r[3]]
    assert walk == (name(db, 12), 1, True, 1, 3)
    assert [payload(db, id) for id in (done, waiting, sending, lately)] == [None] + [PAYLOAD] * 3
    assert empty(db) == []
    change(db, lately, settled_at="2026-01-01Z")
    later(db)
    [walk] = [r for r in empty(db) if r[3]]
    assert walk == (name(db, 12), 1, True, 2, 2)
    assert [payload(db, id) for id in (waiting, sending, lately)] == [PAYLOAD, PAYLOAD, None]


def test_rows_without_a_day_are_emptied_too_each_day(db):
    first = ended(db, 60)
    assert emptied(db) == {"notifications_default": 1}
    second = ended(db, 70)
    assert empty(db) == []
    later(db)
    assert emptied(db) == {"notifications_default": 2}
    assert payload(db, first) is payload(db, second) is None


def test_days_to_come_and_those_of_a_longer_setting_are_left(db):
    ids = [ended(db, days) for days in (1, 20, 30)]
    assert emptied(db, days=31) == {}
    assert [payload(db, id) for id in ids] == [PAYLOAD] * 3


def test_what_is_locked_is_left_and_nobody_waits(db, other_db):
    ids = sorted(ended(db, 12) for _ in range(3))
    db.execute("set lock_timeout = '1s'")
    with other_db.transaction():
        other_db.execute("select from notify.notifications where id = %s for update", [ids[1]])
        [walk] = [r for r in empty(db) if r[3]]
    assert walk == (name(db, 12), 2, True, 2, 1)
    later(db)
    emptied(db)
    assert payload(db, ids[1]) is None


def test_two_callers_do_not_do_the_same(db, other_db):
    for _ in range(2):
        ended(db, 12)
    other_db.execute("set lock_timeout = '1ms'")
    with db.transaction():
        while call(db, limit=1).partition != name(db, 12):
            pass
        with pytest.raises(psycopg.errors.LockNotAvailable):
            call(other_db, limit=1)
    assert call(other_db, limit=1).total == 2


def test_one_that_is_redriven_meanwhile_is_not_emptied_and_what_is_emptied_not_redriven(db):
    [kept, gone] = [ended(db, 12, "failed") for _ in range(2)]
    assert redrive(db, ids=[kept]).redriven == 1
    emptied(db)
    assert (payload(db, kept), payload(db, gone)) == (PAYLOAD, None)
    assert redrive(db, ids=[kept, gone]).matched == redrive(db, code=None).matched == 0
    [got] = claim(db)
    assert (got.id, json.loads(got.payload)) == (kept, PAYLOAD)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_that_a_trigger_holds_is_left_and_the_others_go(faulty_db, fault):
    faulty_db.execute("delete from notify.emptied_days")
    ids = sorted(ended(faulty_db, 60) for _ in range(9))
    change(faulty_db, ids[4], reference=ODD)
    faulty_db.execute(FAULTS[fault].replace("STAYS", "no status"))
    [walk] = [r for r in empty(faulty_db) if r[3]]
    assert walk == ("notifications_default", 8, True, 8, 1)
    left = [PAYLOAD if id == ids[4] else None for id in ids]
    assert [payload(faulty_db, id) for id in ids] == left


def test_what_it_cost_is_written_down(db):
    ended(db, 12)
    empty(db)
    query = "select * from notify.emptied_days where emptied > 0"
    [kept] = db.execute(query).fetchall()
    assert (kept.emptied, kept.left_over, kept.following) == (1, 0, None)
    assert kept.took.total_seconds() > 0


def test_a_day_that_is_dropped_is_forgotten(db):
    for days in (20, 12):
        ended(db, days)
    empty(db)
    assert ("dropped", name(db, 20)) in keep_partitions(db, 7, "15 days")
    assert call(db) is None
    kept = db.execute("select to_char(day, 'YYYYMMDD') as d from notify.emptied_days").fetchall()
    assert name(db, 20)[-8:] not in [r.d for r in kept]
    assert name(db, 12)[-8:] in [r.d for r in kept]


def test_a_quiet_day_stays_quiet(long_db):
    long_db.execute("delete from notify.emptied_days")
    ended(long_db, 70)
    look = "select day, until::text from notify.quiet_days order by day"
    before = long_db.execute(look).fetchall()
    assert emptied(long_db) == {name(long_db, 70): 1}
    assert long_db.execute(look).fetchall() == before


def test_without_a_default_partition_the_days_are_emptied_all_the_same(db):
    ended(db, 12)
    db.execute("alter table notify.notifications detach partition notify.notifications_default")
    assert emptied(db) == {name(db, 12): 1}


def test_a_day_whose_rows_are_hidden_keeps_no_other_and_is_emptied_later(db, dsn):
    ended(db, 20)
    ended(db, 12)
    with owning(db, dsn) as owner:
        force(db, name(db, 20))
        assert emptied(owner) == {name(db, 12): 1}
        db.execute(f"alter table notify.{name(db, 20)} no force row level security")
        assert emptied(owner) == {name(db, 20): 1}
