"""notify.open_watch(): a ticket for each statement on the table of the watch, and no other."""

import psycopg
import pytest

from tests.sql.watching import ORDERS, ops, told, watch


@pytest.fixture
def id(db):
    db.execute(ORDERS)
    return watch(db)


def test_a_table_of_the_same_name_that_came_later_gets_no_ticket(db, id):
    db.execute("alter table orders rename to before")
    db.execute(ORDERS)
    db.execute(
        "create trigger o before insert on orders for each statement"
        f" execute function notify.open_watch('{id}');"
        "create trigger w after insert on orders referencing new table as new_rows for each"
        " statement"
        f" execute function notify.watched('{id}', 'insert', '', '', '', '', '', 'fail')"
    )
    db.execute("insert into orders values (1)")
    assert told(db) == []
    db.execute("insert into before values (1)")
    assert ops(db) == ["insert"]


def test_what_somebody_put_into_the_setting_is_left_behind_and_stops_nothing(db, id):
    with db.transaction():
        db.execute("select set_config(%s, 'rubbish', true)", [f"notify.watch_{id}"])
        db.execute("insert into orders values (1)")
        kept = db.execute("select current_setting(%s) as s", [f"notify.watch_{id}"]).fetchone().s
    assert (ops(db), kept) == (["insert"], "rubbish")


def test_without_its_trigger_a_change_fails_by_name(db, id):
    db.execute(f"drop trigger notify_watch_{id}_open on orders")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="its ticket was taken"):
        db.execute("insert into orders values (1)")
