"""Abandoned leases: those that ended long ago, on any day."""

import pytest

from tests.ledger import ago, change, claim, enqueue, note_refused, put
from tests.sql.long import old_id


@pytest.mark.parametrize("name", ["shared_db", "long_db"])
def test_leases_that_ended_long_ago_are_counted_to_a_limit(request, name):
    db = request.getfixturevalue(name)
    for days in (0, 1, 40):
        put(db, "sending", id=old_id(db, days), lease_until=ago(db, "2 minutes"))
    put(db, "sending", lease_until=ago(db, "10 seconds"))
    query = "select notify.abandoned_leases(%s, %s) as n"
    assert db.execute(query, ["1 minute", 1000]).fetchone().n == 3
    assert db.execute(query, ["1 minute", 2]).fetchone().n == 2
    assert db.execute(query, ["1 hour", 1000]).fetchone().n == 0


def test_what_has_ended_and_cannot_be_written_down_is_not_the_reapers_fault(shared_db):
    db = shared_db
    [ended, hung] = claim(db, enqueue(db, 2))
    note_refused(db, ended)
    for each in (ended, hung):
        change(db, each.id, lease_until=ago(db, "2 minutes"))
    assert db.execute("select notify.abandoned_leases('1 minute', 10) as n").fetchone().n == 1
