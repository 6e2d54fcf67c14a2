"""notify.keep_watch(): the row of a watch; test_on_change.py has what it refuses."""

from concurrent.futures import ThreadPoolExecutor

from psycopg.sql import SQL, Identifier

from tests.producers import producer
from tests.sql.watching import ORDERS, told
from tests.waiting import LIMIT_S, wait_until_blocked

KEEP = "select notify.keep_watch('orders', '{insert}', 'log', 'r', null, null, null, 'fail') as id"


def test_without_triggers_a_watch_does_nothing(db, dsn):
    """A producer may call it by hand, for any table whose name it may use."""
    db.execute(ORDERS)
    with producer(db, dsn, "hostile") as hostile:
        hostile.execute(KEEP)
        db.execute("insert into orders values (1)")
        assert told(db) == []


def test_the_watch_is_of_who_speaks(db, dsn):
    db.execute(ORDERS)
    with producer(db, dsn, "shop") as shop:
        db.execute(
            SQL("grant {} to {}").format(Identifier(shop.info.user), Identifier(db.info.user))
        )
        with db.transaction():
            db.execute(SQL("set local role {}").format(Identifier(shop.info.user)))
            db.execute(KEEP)
        [row] = db.execute("select producer, made_by from notify.kept_watches").fetchall()
        assert row == ("shop", shop.info.user)


def test_two_at_once_wait_for_each_other_and_do_not_fail(db, other_db):
    db.execute(ORDERS)
    with ThreadPoolExecutor(1) as pool:
        with db.transaction():
            db.execute(KEEP)
            second = pool.submit(other_db.execute, KEEP)
            wait_until_blocked(db, other_db.info.backend_pid)
        second.result(LIMIT_S)
    assert db.execute("select count(*) as n from notify.kept_watches").fetchone().n == 2
