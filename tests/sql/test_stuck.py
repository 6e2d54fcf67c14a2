"""stuck(): the rows that nothing moves by itself."""

from collections import Counter

import pytest

from tests.ledger import ago, change, claim, enqueue, note_refused, put
from tests.sql.long import old_id, tend


@pytest.fixture
def db(shared_db):
    return shared_db


def stuck(db, overdue="1 minute", limit=5):
    return db.execute("select * from notify.stuck(%s, %s)", [overdue, limit]).fetchall()


def kinds(db, **how):
    return [(row.kind, row.id) for row in stuck(db, **how)]


def refused(db, due="-30 s", **columns):
    [id] = enqueue(db, **columns)
    change(db, id, last_error_code="refused", last_error="by a trigger", due_at=ago(db, due))
    return id


def test_what_is_on_its_way_is_not_stuck(db):
    enqueue(db, 3)
    enqueue(db, send_at=ago(db, "-1 hour"))
    claim(db, enqueue(db, 2))
    put(db, "failed", last_error_code="refused")
    assert stuck(db) == []


def test_one_that_was_refused_is_named_with_the_words_of_the_database(db):
    id = refused(db, priority=1)
    [row] = stuck(db)
    assert (row.kind, row.id, row.channel, row.priority, row.error) == (
        "refused", id, "log", 1, "by a trigger",
    )  # fmt: skip


@pytest.mark.parametrize("due", ["-59 s", "0", "10 s"])
def test_one_that_was_refused_is_found_while_it_rests_and_when_it_is_due(db, due):
    assert ("refused", refused(db, due)) in kinds(db)


def test_one_that_was_refused_is_found_behind_a_backlog(db):
    for id in enqueue(db, 2):
        change(db, id, due_at=ago(db, "1 hour"))
    assert ("refused", refused(db)) in kinds(db)


def test_one_that_was_refused_is_found_behind_what_a_dead_destination_keeps_back(db):
    """Its rows come back within seconds, many more of them than are looked at."""
    db.execute(
        "update notify.notifications set due_at = clock_timestamp() + interval '5 s'"
        " where id = any(%s)",
        [enqueue(db, 2000)],
    )
    assert kinds(db) == []
    id = refused(db, "-50 s")
    assert kinds(db) == [("refused", id)]


def test_one_that_was_refused_is_named_once(db):
    id = refused(db, "-30 s")
    assert kinds(db) == [("refused", id)]


def test_the_first_that_is_overdue_of_each_lane_is_named(db):
    firsts = []
    for lane in range(4):
        first, second = enqueue(db, 2, priority=lane)
        change(db, first, due_at=ago(db, f"{lane + 2} minutes"))
        change(db, second, due_at=ago(db, "61 s"))
        firsts.append(("overdue", first))
    assert kinds(db) == firsts
    assert kinds(db, overdue="10 minutes") == []


def test_a_lease_that_nobody_takes_back_is_named(db):
    long_ago = put(db, "sending", lease_until=ago(db, "2 minutes"))
    put(db, "sending", lease_until=ago(db, "10 s"))
    assert kinds(db) == [("lease", long_ago)]


def test_there_are_so_many_of_a_kind_at_most(db):
    for _ in range(3):
        refused(db)
        put(db, "sending", lease_until=ago(db, "2 minutes"))
    assert [kind for kind, _ in kinds(db, limit=2)] == ["refused"] * 2 + ["lease"] * 2


def test_there_are_no_more_of_a_kind_where_the_ledger_is_long(long_db):
    for days in (10, 20, 30):
        old = old_id(long_db, days)
        put(long_db, "queued", id=old, due_at=ago(long_db, "2 minutes"))
        change(long_db, old, last_error_code="refused", last_error="by a trigger")
        id = old_id(long_db, days)
        put(long_db, "sending", id=id, lease_until=ago(long_db, "2 minutes"))
    tend(long_db)
    assert long_db.execute("select count(*) as n from notify.spans()").fetchone().n > 3
    assert Counter(row.kind for row in stuck(long_db, limit=2)) == {
        "refused": 2, "overdue": 2, "lease": 2,
    }  # fmt: skip


def test_one_whose_attempt_ended_and_cannot_be_written_down_is_named(db):
    """Whatever its lease; an attempt that another worker wrote says nothing of it."""
    first, second, other = claim(db, enqueue(db, 3))
    note_refused(db, first)
    note_refused(db, second)
    change(db, second.id, lease_until=ago(db, "1 hour"))
    note_refused(db, other)
    change(db, other.id, claimed_by="w:2")
    assert {(row.kind, row.id, row.error) for row in stuck(db)} == {
        ("unsettled", first.id, "no"),
        ("unsettled", second.id, "no"),
    }
