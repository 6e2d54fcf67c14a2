"""is_watched(): what watched() asks when a statement has no ticket."""

from tests.sql.watching import ORDERS, watch


def asked(db, watch, table):
    query = "select notify.is_watched(%s, %s::regclass) as is_watched"
    return db.execute(query, [watch, table]).fetchone().is_watched


def test_it_knows_a_watch_by_its_table(db):
    db.execute(ORDERS)
    db.execute("create table others (id int primary key)")
    id = watch(db)
    assert asked(db, id, "orders")
    assert not asked(db, id, "others")
    assert not asked(db, id + 1, "orders")


def test_a_watch_that_is_off_is_none(db):
    db.execute(ORDERS)
    id = watch(db)
    db.execute("select notify.off_change(%s)", [id])
    assert not asked(db, id, "orders")
