"""Queued rows that a trigger holds back do not hold the others back, nor are they counted."""

import pytest

from tests.ledger import cancel_matching, row
from tests.sql.faults import ODD, one_odd_among


@pytest.fixture
def queued(faulty_db):
    """Nine queued rows, and the odd one among them."""
    return one_odd_among(faulty_db)[0]


def test_the_others_are_called_off_and_the_odd_one_stays(faulty_db, fault, queued):
    fault("queued")
    assert cancel_matching(faulty_db) == (9, 8, False)
    rows = [row(faulty_db, id) for id in queued]
    stays = {ODD: "queued"}
    assert [r.status for r in rows] == [stays.get(r.reference, "cancelled") for r in rows]


def test_the_odd_one_is_named(faulty_db, fault, queued):
    fault("queued")
    told = []
    faulty_db.add_notice_handler(lambda diag: told.append(diag.message_primary))
    cancel_matching(faulty_db, channel="log")
    assert [str(queued[4]) in text for text in told] == [True]


def test_an_odd_one_alone_is_no_error(faulty_db, fault, queued):
    fault("queued")
    assert cancel_matching(faulty_db, reference=ODD) == (1, 0, False)
