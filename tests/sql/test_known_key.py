"""Which request took a key."""

import pytest

from tests.ledger import insert
from tests.sql.test_take_key import age
from tests.sql.test_turn_keys import make_time, turn


def known(db, key="k", producer=None):
    query = "select * from notify.known_key(%s, %s)"
    return db.execute(query, [producer or db.info.user, key]).fetchone()


@pytest.mark.parametrize("turned", [False, True])
def test_the_first_is_found_on_either_side_of_a_turn(db, turned):
    first = insert(db, idempotency_key="k")
    if turned:
        make_time(db)
        assert turn(db)
    found = known(db)
    assert (found.notification_id, found.created_at) == (first.id, first.created_at)


def test_what_nobody_took_is_not_found(db):
    insert(db, idempotency_key="k")
    assert known(db, "K") is None
    assert known(db, producer="another") is None
    assert known(db, None) is None


def test_what_is_older_than_the_window_is_not_found_and_its_successor_is(db):
    insert(db, idempotency_key="k")
    make_time(db)
    turn(db)
    age(db, "25:00:00")
    assert known(db) is None
    later = insert(db, idempotency_key="k")
    assert known(db).notification_id == later.id
