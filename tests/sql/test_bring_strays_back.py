"""Rows that wait for a pause that is not there come back, and no others."""

import psycopg
import pytest

from tests.ledger import (
    ago,
    bring_back,
    bring_strays_back,
    claim,
    enqueue,
    pause,
    paused,
    put,
    resume,
    row,
)  # fmt: skip
from tests.sql.faults import ODD, heal, trigger
from tests.sql.long import old_id


@pytest.fixture
def db(shared_db):
    return shared_db


def stranded(db, *lanes):
    """Set a row of each lane aside, for a pause that somebody deletes."""
    id = pause(db, "channel", "log")
    ids = [put(db, "queued", priority=lane) for lane in lanes]
    assert claim(db, ids) == []
    db.execute("delete from notify.pauses where id = %s", [id])
    return ids


def test_what_waits_for_a_pause_that_was_deleted_comes_back(db):
    ids = stranded(db, 0, 1, 2, 3, 3)
    assert bring_strays_back(db) == 5
    assert all(row(db, id).due_at <= ago(db, "0") for id in ids)
    assert {c.id for c in claim(db, ids)} == set(ids)
    assert bring_strays_back(db) == 0


def test_what_waits_for_a_pause_that_is_there_waits_on(db):
    first = pause(db, "channel", "log")
    [waits] = enqueue(db)
    claim(db, [waits])
    strays = stranded_beside(db)
    last = pause(db, "channel", "email")
    other = put(db, "queued", channel="email", recipient="ada@example.org")
    claim(db, [other])
    resume(db, last)
    before = [row(db, id) for id in (waits, other)]
    assert bring_strays_back(db) == len(strays)
    assert [row(db, id) for id in (waits, other)] == before
    assert {p.id: p.waiting for p in paused(db)} == {first: 1, last: 1}


def stranded_beside(db):
    id = pause(db, "channel", "webhook")
    ids = [put(db, "queued", channel="webhook", recipient="https://a.example") for _ in range(3)]
    claim(db, ids)
    db.execute("delete from notify.pauses where id = %s", [id])
    return ids


def test_what_was_set_aside_while_its_pause_ended_is_no_longer_there_for_ever(db, shared_url):
    id = pause(db, "channel", "log")
    [late] = enqueue(db)
    with psycopg.connect(shared_url) as worker:
        worker.execute("select notify.set_aside(%s)", [[late]])
        assert resume(db, id)
        assert bring_back(db) == 0
        assert paused(db) == []
        assert bring_strays_back(db) == 0
        worker.commit()
    assert row(db, late).due_at.year == 3000
    assert bring_strays_back(db) == 1
    assert [c.id for c in claim(db, [late])] == [late]


def test_it_brings_no_more_than_its_limit(db):
    stranded(db, 0, 1, 1, 2, 2)
    assert [bring_strays_back(db, 2) for _ in range(4)] == [2, 2, 1, 0]


def test_what_is_due_later_or_beyond_the_years_of_pauses_is_left_alone(db):
    later = put(db, "queued", due_at=ago(db, "-1 year"))
    beyond = put(db, "queued", due_at=ago(db, "-1 year").replace(year=4500))
    before = [row(db, id) for id in (later, beyond)]
    assert bring_strays_back(db) == 0
    assert [row(db, id) for id in (later, beyond)] == before


def test_what_a_trigger_keeps_stops_no_other(faulty_db):
    ids = stranded(faulty_db, 0, 0, 0)
    faulty_db.execute("update notify.notifications set reference = %s where id = %s", [ODD, ids[0]])
    faulty_db.execute(trigger("raise exception 'no';"))
    assert bring_strays_back(faulty_db) == 2
    heal(faulty_db)
    assert bring_strays_back(faulty_db) == 1


@pytest.mark.parametrize("act", ["return null;", "raise exception 'no';"])
def test_a_thousand_that_a_trigger_keeps_hide_none_behind_them(faulty_db, act):
    id = pause(faulty_db, "channel", "log")
    odd, good = enqueue(faulty_db, 1000, reference=ODD), enqueue(faulty_db, 100)
    claim(faulty_db, [*odd, *good], limit=1100)
    faulty_db.execute("delete from notify.pauses where id = %s", [id])
    faulty_db.execute(trigger(act))
    assert bring_strays_back(faulty_db) == 100
    assert all(row(faulty_db, id).due_at <= ago(faulty_db, "0") for id in good)


def test_a_limit_of_few_goes_behind_what_a_trigger_keeps(faulty_db):
    ids = stranded(faulty_db, 0, 0, 0)
    faulty_db.execute("update notify.notifications set reference = %s where id = %s", [ODD, ids[0]])
    faulty_db.execute(trigger("return null;"))
    assert [bring_strays_back(faulty_db, 1) for _ in range(3)] == [1, 1, 0]


def test_rows_of_quiet_days_come_back(long_db):
    old = put(long_db, "queued", id=old_id(long_db, 40))
    pause(long_db, "channel", "log")
    claim(long_db)
    long_db.execute("delete from notify.pauses")
    assert bring_strays_back(long_db) == 1
    assert [c.id for c in claim(long_db)] == [old]
