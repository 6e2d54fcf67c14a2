"""Dead letters that a trigger holds back do not hold the others back, nor are they counted."""

import pytest

from tests.ledger import change, counted, put, redrive, row
from tests.sql.faults import ODD


@pytest.fixture
def failed(faulty_db):
    """Nine dead letters, and the odd one among them."""
    ids = sorted(put(faulty_db, "failed") for _ in range(9))
    change(faulty_db, ids[4], reference=ODD)
    return ids


@pytest.mark.parametrize("by_id", [True, False])
def test_the_others_are_redriven_and_the_odd_one_stays(faulty_db, fault, failed, by_id):
    fault("failed")
    which = {"ids": failed} if by_id else {"channel": "log"}
    found = redrive(faulty_db, rate=1.0, **which)
    assert (found.matched, found.redriven, found.more) == (9, 8, False)
    rows = [row(faulty_db, id) for id in failed]
    assert [r.status for r in rows] == ["failed" if r.reference == ODD else "queued" for r in rows]
    assert sum(counted(faulty_db).values()) == -8
    due = [r.due_at for r in rows]
    assert [(at - due[0]).total_seconds() for at in due[:4] + due[5:]] == [0, 1, 2, 3, 5, 6, 7, 8]


def test_the_odd_one_is_named(faulty_db, fault, failed):
    fault("failed")
    told = []
    faulty_db.add_notice_handler(lambda diag: told.append(diag.message_primary))
    redrive(faulty_db)
    assert [str(failed[4]) in text for text in told] == [True]


def test_an_odd_one_alone_is_no_error(faulty_db, fault, failed):
    fault("failed")
    assert redrive(faulty_db, ids=[failed[4]]).redriven == 0
