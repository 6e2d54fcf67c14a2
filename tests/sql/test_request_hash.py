"""The hash of a request; tests/sql/test_take_key.py has what is the same and what differs."""

import pytest

CALL = "notify.request_hash(channel, recipient, payload, priority, send_at, expires_at,"
CALL += " max_attempts, reference, is_test)"


@pytest.fixture
def db(shared_db):
    return shared_db


def test_take_key_runs_it_inlined(db):
    query = f"explain (verbose) select {CALL} from notify.notifications"
    assert not any("request_hash(" in line[0] for line in db.execute(query))


def test_what_is_null_and_what_is_empty_differ(db):
    query = "select notify.request_hash('log', 'r', '1', 2::smallint, null, null, null, {}, false)"
    hashes = [db.execute(query.format(r)).fetchone()[0] for r in ("null", "'null'", "' '")]
    assert len({*hashes}) == 3


def test_texts_that_change_places_differ(db):
    query = "select notify.request_hash('log', {}, {}, 2::smallint, null, null, null, {}, false)"
    one = db.execute(query.format("'a'", "'1'", "'b'")).fetchone()[0]
    other = db.execute(query.format("'b'", "'1'", "'a'")).fetchone()[0]
    assert one != other
