"""Writing an attempt down whose notification PostgreSQL does not let move."""

import pytest

from tests.ledger import attempts_of, change, claim, enqueue, note_refused, row, settle
from tests.sql.faults import constraint, one_odd_among, trigger


@pytest.fixture
def db(faulty_db):
    return faulty_db


def test_the_attempt_is_written_down_and_the_row_says_why(db):
    [id] = enqueue(db)
    [claimed] = claim(db, [id])
    note_refused(db, claimed)
    note_refused(db, claimed, "temporary")  # the first one stays
    [attempt] = attempts_of(db, id)
    assert (attempt.outcome, attempt.code, attempt.worker) == ("sent", "200", "w:1")
    found = row(db, id)
    assert (found.status, found.last_error_code, found.last_error) == ("sending", "refused", "no")


def test_of_another_attempt_or_another_status_nothing_is_written(db):
    later, ended = enqueue(db, 2)
    first, second = claim(db, [later, ended])
    change(db, first.id, attempt=2)
    settle(db, [second])
    for claimed in (first, second):
        note_refused(db, claimed)
    assert attempts_of(db, first.id) == []
    assert len(attempts_of(db, second.id)) == 1
    assert {row(db, id).last_error for id in (later, ended)} == {None}


def test_what_is_refused_as_well_stays_as_it_is(db):
    ids, odd = one_odd_among(db)
    [claimed] = [c for c in claim(db, ids) if c.id == odd]
    db.execute(trigger("raise exception 'no';"))
    note_refused(db, claimed)
    assert row(db, odd).last_error is None
    assert [a.outcome for a in attempts_of(db, odd)] == ["sent"]


def test_a_rule_of_attempts_keeps_the_message_all_the_same(db):
    ids, odd = one_odd_among(db)
    [claimed] = [c for c in claim(db, ids) if c.id == odd]
    db.execute(constraint(f"notification_id <> '{odd}'", "attempts"))
    note_refused(db, claimed)
    assert attempts_of(db, odd) == []
    assert row(db, odd).last_error == "no"
