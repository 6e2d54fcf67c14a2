"""A page of the audit: the newest uses that match, found by a bounded look."""

import pytest

from tests.ledger import forget_audit
from tests.sql.test_plans import touched


@pytest.fixture
def db(shared_db):
    forget_audit(shared_db)
    return shared_db


def fill(db, n, verb="cancel", actor="shop", key_id=None):
    query = (
        "insert into notify.audit (actor, key_id, verb)"
        " select %s, %s, %s from generate_series(1, %s) returning id"
    )
    return sorted((row.id for row in db.execute(query, [actor, key_id, verb, n])), reverse=True)


def page(db, *, verb=None, actor=None, key_id=None, before=None):
    query = "select ids, following from notify.audit_page(%s, %s, %s, %s, 3, 100)"
    return tuple(db.execute(query, [verb, actor, key_id, before]).fetchone())


def test_an_empty_audit_has_no_page(db):
    assert page(db) == ([], None)


def test_the_newest_come_first_and_the_cursor_goes_on(db):
    ids = fill(db, 7)
    assert page(db) == (ids[:3], ids[2])
    assert page(db, before=ids[2]) == (ids[3:6], ids[5])
    assert page(db, before=ids[5]) == (ids[6:], None)
    assert page(db, before=ids[6]) == ([], None)


def test_a_page_that_is_just_full_is_the_last(db):
    ids = fill(db, 3)
    assert page(db) == (ids, None)


def test_each_filter_narrows(db):
    [a] = fill(db, 1, "redrive", "shop", "k1")
    [b] = fill(db, 1, "redrive", "ops", None)
    [c] = fill(db, 1, "cancel", "shop", "k2")
    assert page(db, verb="redrive")[0] == [b, a]
    assert page(db, actor="shop")[0] == [c, a]
    assert page(db, key_id="k2")[0] == [c]
    assert page(db, verb="redrive", actor="shop", key_id="k1")[0] == [a]
    assert page(db, verb="redrive", key_id="k2")[0] == []


def test_it_looks_so_far_and_says_where_it_came_to(db):
    [rare] = fill(db, 1, "erase")
    ids = fill(db, 250)
    assert page(db, verb="erase") == ([], ids[99])
    assert page(db, verb="erase", before=ids[99]) == ([], ids[199])
    assert page(db, verb="erase", before=ids[199]) == ([rare], None)


def test_it_reads_no_more_rows_than_it_may_by_the_primary_key(db):
    ids = fill(db, 5000)
    db.execute("analyze notify.audit")
    seen = touched(db, lambda: page(db, verb="none", before=ids[1000]))
    assert 100 <= seen.read.total() <= 210
    seen = touched(db, lambda: page(db))
    assert seen.read.total() <= 20
