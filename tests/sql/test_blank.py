"""Taking out a payload, or all that says who it was; one odd row keeps none of the others."""

import pytest

from tests.ledger import change, put, row
from tests.sql.faults import ODD

NOTHING = "no status"  # of FAULTS: they strike whatever the row's status is


@pytest.fixture
def sent(faulty_db):
    """Nine that were sent, the odd one in the middle."""
    ids = sorted(put(faulty_db, "sent", payload='{"n": 1}', last_error="x") for _ in range(9))
    change(faulty_db, ids[4], reference=ODD)
    return ids


def blank(db, ids, *, is_person=False, ends="1 second"):
    query = "select * from notify.blank(%s, %s, clock_timestamp() + %s::interval)"
    return tuple(db.execute(query, [ids, is_person, ends]).fetchone())


def test_only_the_payload_goes(faulty_db, sent):
    before = [row(faulty_db, id) for id in sent]
    assert blank(faulty_db, sent) == (9, 0, 0)
    for was, now in zip(before, (row(faulty_db, id) for id in sent), strict=True):
        assert (now.payload, now.emptied_at is None) == (None, False)
        assert now._replace(payload=was.payload, emptied_at=None) == was


def test_of_a_person_all_goes_that_says_who(faulty_db, sent):
    before = row(faulty_db, sent[4])
    assert blank(faulty_db, sent, is_person=True) == (9, 0, 0)
    now = row(faulty_db, sent[4])
    gone = {"recipient": "erased", "payload": None, "reference": None, "last_error": None}
    assert now == before._replace(emptied_at=now.emptied_at, **gone)


def test_the_moment_is_that_of_the_first_time(faulty_db, sent):
    blank(faulty_db, sent)
    first = row(faulty_db, sent[0]).emptied_at
    blank(faulty_db, sent, is_person=True)
    assert row(faulty_db, sent[0]).emptied_at == first


def test_nothing_is_nothing(faulty_db):
    assert blank(faulty_db, []) == (0, 0, 0)


def test_the_others_are_emptied_and_the_odd_one_is_named(faulty_db, fault, sent):
    fault(NOTHING)
    told = []
    faulty_db.add_notice_handler(lambda diag: told.append(diag.message_primary))
    assert blank(faulty_db, sent) == (8, 0, 0)
    assert [row(faulty_db, id).emptied_at is None for id in sent] == [id == sent[4] for id in sent]
    assert [str(sent[4]) in text for text in told] == [True]


def test_without_time_no_batch_is_taken_apart(faulty_db, fault, sent):
    fault(NOTHING)
    assert blank(faulty_db, sent, ends="-1 second") == (0, 0, 0)
