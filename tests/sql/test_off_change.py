"""notify.off_change(): a watch that tells no more."""

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.producers import producer
from tests.sql.watching import ORDERS, told, watch

OFF = "select notify.off_change(%s) as was_on"


@pytest.fixture
def orders(db):
    db.execute(ORDERS)
    db.execute("insert into orders values (1, 'open', 5)")


@pytest.fixture
def shop(db, dsn, orders):
    """A producer who may make triggers on orders, and owns it not."""
    with producer(db, dsn, "shop") as session:
        db.execute(SQL("grant trigger on orders to {}").format(Identifier(session.info.user)))
        yield session


def off(session, id):
    return session.execute(OFF, [id]).fetchone().was_on


def triggers(db):
    return db.execute("select tgname from pg_trigger where tgrelid = 'orders'::regclass").fetchall()


def test_the_tables_owner_leaves_nothing(db, orders):
    id = watch(db)
    assert off(db, id) is True
    db.execute("update orders set total = 6")
    assert (told(db), triggers(db)) == ([], [])
    assert db.execute("table notify.kept_watches").fetchall() == []
    assert off(db, id) is False


def test_whoever_does_not_own_the_table_is_told_of_triggers_that_are_left(db, shop):
    id, notices = watch(shop), []
    shop.add_notice_handler(lambda diag: notices.append(diag.message_primary))
    assert off(shop, id) is True
    assert len(notices) == len(triggers(db)) == 4
    assert notices[0] == f"trigger notify_watch_{id}_delete of public.orders is left, and does" \
        " nothing: its owner may drop it"  # fmt: skip
    db.execute("update orders set total = 6")
    assert told(db) == []


def test_another_producer_turns_no_watch_off(db, dsn, shop):
    id = watch(shop)
    with producer(db, dsn, "other") as other:
        assert off(other, id) is False
    db.execute("update orders set total = 6")
    assert len(told(db)) == 1


def test_another_role_of_the_producer_and_the_owner_may(db, dsn, shop):
    first, second = watch(shop), watch(shop)
    with producer(db, dsn, "shop") as other:
        assert off(other, first) is True
    assert off(db, second) is True


def test_whoever_made_a_watch_sees_it_and_turns_it_off_under_any_name(db, dsn, shop):
    """It was made while another transaction gave the role its name."""
    off(shop, watch(shop))
    with psycopg.connect(dsn) as owner:
        owner.execute("select notify.grant_producer(%s, producer => 'store')", [shop.info.user])
        id = watch(shop)
    seen = shop.execute("select id, producer from notify.watches").fetchall()
    assert seen == [(id, "shop")]
    assert off(shop, id) is True


def test_triggers_that_were_renamed_are_found(db, orders):
    id = watch(db, events=["insert"])
    db.execute(f"alter trigger notify_watch_{id}_open on orders rename to theirs")
    off(db, id)
    assert triggers(db) == []


def test_of_two_watches_the_other_stays(db, orders):
    first = watch(db, recipient="a")
    watch(db, recipient="b")
    off(db, first)
    db.execute("update orders set total = 6")
    assert [t.recipient for t in told(db)] == ["b"]


def test_a_watch_whose_table_is_gone_is_forgotten(db, orders):
    id = watch(db)
    db.execute("drop table orders")
    assert off(db, id) is True


def test_an_id_of_nobody_is_no_error(db):
    assert off(db, 77) is False
    assert off(db, None) is False


def test_whoever_may_send_no_more_has_no_watch(db, shop):
    watch(shop)
    db.execute("select notify.revoke_producer(%s)", [shop.info.user])
    db.execute("update orders set total = 6")
    assert told(db) == []
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        off(shop, 1)
