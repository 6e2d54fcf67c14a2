"""Parents are held: by one transaction at two looks, which stand in no queue."""

from tests.sql.test_drop_day import PARENT

HELD = "select notify.parents_are_held('10 ms') as x"


def held(db):
    return db.execute(HELD).fetchone().x


def test_nobody_holds_them(db):
    assert not held(db)


def test_somebody_holds_one_who_does_not_end(db, other_db):
    with other_db.transaction():
        other_db.execute(PARENT)
        assert held(db)
    assert not held(db)


def test_what_its_own_transaction_holds_does_not_count(db):
    with db.transaction():
        db.execute(PARENT)
        assert not held(db)
