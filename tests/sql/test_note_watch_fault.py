"""notify.note_watch_fault(): a row for what was not told, and not too many of them."""

import psycopg
import pytest

from tests.sql.watching import ORDERS, watch

NOTE = "select notify.note_watch_fault(%s, notify.watch_ticket(%s), %s)"


@pytest.fixture
def id(db):
    db.execute(ORDERS)
    return watch(db, on_error="skip")


def faults(db):
    return db.execute("select id, error from notify.watch_faults order by id").fetchall()


def test_a_fault_is_kept_with_its_words(db, id):
    db.execute(NOTE, [id, id, "no" * 1000])
    [fault] = faults(db)
    assert fault.error == ("no" * 1000)[:1000]


def test_nobody_notes_a_fault_by_hand(db, id):
    for ticket in (None, "", "0" * 64):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute("select notify.note_watch_fault(%s, %s, 'x')", [id, ticket])
    assert faults(db) == []


def note(db, id, number, error):
    """Note a fault whose row gets this number: each hundredth one cleans up."""
    db.execute("select setval('notify.watch_faults_id_seq', %s, false)", [number])
    db.execute(NOTE, [id, id, error])


def test_faults_of_a_month_ago_are_forgotten_a_thousand_at_a_time(db, id):
    db.execute(
        "insert into notify.watch_faults (watch_id, at, error)"
        " select 1, now() - interval '31 days', 'old' from generate_series(1, 1050)"
    )
    for number, left in ((1199, 1050), (1200, 50), (1201, 50), (1300, 0), (1400, 0)):
        note(db, id, number, "new")
        assert [f.error for f in faults(db)].count("old") == left
    assert [f.error for f in faults(db)] == ["new"] * 5


def test_of_many_faults_only_the_last_hundred_thousand_stay(db, id):
    db.execute(NOTE, [id, id, "first"])
    note(db, id, 100_100, "last")
    assert [f.error for f in faults(db)] == ["last"]


def test_faults_go_with_their_watch(db, id):
    db.execute(NOTE, [id, id, "x"])
    db.execute("select notify.off_change(%s)", [id])
    assert faults(db) == []


def test_two_sessions_note_faults_without_waiting_for_each_other(db, other_db, id):
    other_db.execute("set lock_timeout = '2s'")
    with db.transaction():
        db.execute(NOTE, [id, id, "a"])
        other_db.execute(NOTE, [id, id, "b"])
    assert sorted(f.error for f in faults(db)) == ["a", "b"]
