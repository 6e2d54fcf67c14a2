"""Releasing what could not be released as one batch: the odd claim stays, the others go back."""

import pytest

from tests.ledger import change, claim, release_each, row
from tests.sql.faults import one_odd_among, release_all, trigger


@pytest.fixture
def db(faulty_db):
    return faulty_db


def test_the_others_go_back_and_the_odd_one_is_left_to_its_lease(db, fault):
    ids, odd = one_odd_among(db)
    got = claim(db, ids)
    fault("sending")
    assert release_all(db, got) == set(ids) - {odd}
    assert {row(db, id).status for id in ids if id != odd} == {"queued"}
    assert row(db, odd).status == "sending"


def test_a_limit_of_attempts_that_cannot_rise_costs_its_row_only(db):
    ids, odd = one_odd_among(db)
    change(db, odd, max_attempts=2**31 - 1)
    assert release_all(db, claim(db, ids)) == set(ids) - {odd}


def test_the_odd_one_is_told_with_the_databases_words(db):
    ids, odd = one_odd_among(db)
    got = claim(db, ids)
    db.execute(trigger("raise exception 'not this one';"))
    told = {r.id: r.error for r in release_each(db, got)}
    assert told.pop(odd).startswith("not this one (PL/pgSQL function public.fault()")
    assert told == {id: None for id in ids if id != odd}
