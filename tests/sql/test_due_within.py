"""Due within: what is due of one range of ids, whatever lies beside it."""

from tests.ledger import enqueue

LEAST = "00000000-0000-0000-0000-000000000000"
MOST = "ffffffff-ffff-ffff-ffff-ffffffffffff"


def within(db, lo, hi):
    rows = db.execute("select * from notify.due_within(%s, %s, '{2}', '{null}', 10)", [lo, hi])
    return rows.fetchall()[0]


def test_both_ends_belong_to_it(shared_db):
    first, second, third = enqueue(shared_db, 3)
    assert set(within(shared_db, LEAST, MOST).ids) == {first, second, third}
    assert set(within(shared_db, first, second).ids) == {first, second}
    assert within(shared_db, third, third).ids == [third]


def test_what_falls_due_later_elsewhere_is_not_its_concern(shared_db):
    [id] = enqueue(shared_db)
    shared_db.execute("update notify.notifications set due_at = now() + interval '1 hour'")
    assert within(shared_db, LEAST, MOST).next_due_in is not None
    assert within(shared_db, MOST, MOST).next_due_in is None
    assert within(shared_db, id, id).next_due_in is not None
