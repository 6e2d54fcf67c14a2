"""notify.living_workers(): who was heard of lately, and what it holds."""

from tests.explaining import beat, silence
from tests.ledger import claim, enqueue


def living(db, limit=100, look_max=100):
    query = "select * from notify.living_workers(%s, %s)"
    return db.execute(query, [limit, look_max]).fetchall()


def test_those_that_were_heard_of_are_listed_with_what_they_said(db):
    beat(db, "w:2", host="b", in_flight=7)
    beat(db, "w:1", host="a")
    beat(db, "w:0")
    silence(db, "31 s", "w:0")
    got = living(db)
    assert [(w.worker, w.host, w.version, w.slots, w.in_flight, w.leases) for w in got] == [
        ("w:1", "a", "1", 512, 3, 0), ("w:2", "b", "1", 512, 7, 0)]  # fmt: skip


def test_leases_are_counted_for_each(db):
    beat(db, "w:1")
    beat(db, "w:2")
    claim(db, enqueue(db, 3), worker="w:1")
    claim(db, enqueue(db, 2), worker="w:3")
    assert [(w.worker, w.leases) for w in living(db)] == [("w:1", 3), ("w:2", 0)]


def test_more_leases_than_are_looked_at_are_not_known(db):
    beat(db, "w:1")
    claim(db, enqueue(db, 3), worker="w:1")
    assert [w.leases for w in living(db, look_max=3)] == [3]
    assert [w.leases for w in living(db, look_max=2)] == [None]


def test_no_more_than_asked_for_are_listed(db):
    for n in range(5):
        beat(db, f"w:{n}")
    assert [w.worker for w in living(db, limit=2)] == ["w:0", "w:1"]


def test_a_long_ledger_is_looked_at_too(long_db):
    long_db.execute("truncate notify.workers")
    beat(long_db, "w:1")
    claim(long_db, enqueue(long_db, 2), worker="w:1")
    assert [w.leases for w in living(long_db)] == [2]
    long_db.execute("truncate notify.workers")
