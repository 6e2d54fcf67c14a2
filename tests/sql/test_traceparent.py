"""What accept() keeps for a traceparent is what the service reads as one, whoever said it."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.traceparent import read
from tests.ledger import enqueue, row
from tests.unit.test_traceparent import GOOD, PARENT, TRACE, WRONG

STORABLE = {name: text for name, text in WRONG.items() if "\0" not in text}
SET = "select set_config('notify.traceparent', %s, true)"


@pytest.fixture
def db(shared_db):
    return shared_db


def kept(db, **columns):
    return row(db, enqueue(db, **columns)[0]).traceparent


def set_for(db, text):
    """Enqueue in a transaction that says which trace it belongs to."""
    with db.transaction():
        db.execute(SET, [text])
        return kept(db)


@pytest.mark.parametrize("wrong", STORABLE)
def test_what_is_none_is_left_out_without_an_error(db, wrong):
    assert kept(db, traceparent=STORABLE[wrong]) is None
    assert set_for(db, STORABLE[wrong]) is None


@pytest.mark.parametrize("good", [GOOD, f"cc-{TRACE}-{PARENT}-ff"])
def test_what_is_one_is_kept(db, good):
    assert kept(db, traceparent=good) == set_for(db, good) == good


def test_it_ends_with_its_transaction(db):
    assert set_for(db, GOOD) == GOOD
    assert kept(db) is None


def test_the_rows_own_counts_before_the_transactions(db):
    other = f"00-{'a' * 32}-{PARENT}-01"
    with db.transaction():
        db.execute(SET, [other])
        assert kept(db, traceparent=GOOD) == GOOD


near = st.from_regex(r"\A[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=near | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_what_is_kept_can_be_read(shared_db, text):
    found = kept(shared_db, traceparent=text)
    assert found is None or read(found) is not None
