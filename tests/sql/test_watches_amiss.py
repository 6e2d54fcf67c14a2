"""Each watch that tells nothing is named, with what to do."""

import pytest

from tests.sql.watching import ORDERS, watch


@pytest.fixture
def id(db):
    db.execute(ORDERS)
    return watch(db, columns=["id", "total"], events=["insert", "update"])


def amiss(db):
    return db.execute("select fault, remedy from notify.watches_amiss()").fetchall()


def test_of_a_watch_that_works_nothing_is_said(db, id):
    assert amiss(db) == []


def test_triggers_without_a_watch_are_named_and_dropped_as_told(db, id):
    db.execute("delete from notify.kept_watches")
    found = amiss(db)
    assert len(found) == 3
    assert f"trigger notify_watch_{id}_open of public.orders names no watch of that table," \
        " and does nothing" in [f.fault for f in found]  # fmt: skip
    for fault in found:
        db.execute(fault.remedy)
    assert amiss(db) == []


def test_a_table_that_is_gone_is_named(db, id):
    db.execute("drop table orders")
    [fault] = amiss(db)
    assert fault.fault == f"the table of watch {id} is gone"
    db.execute(fault.remedy)
    assert amiss(db) == []


@pytest.mark.parametrize(
    ("act", "event"),
    [
        ("drop trigger notify_watch_1_insert on orders", "insert"),
        ("alter table orders disable trigger notify_watch_1_update", "update"),
        ("alter table orders disable trigger notify_watch_1_open", "open"),
        ("alter table orders enable replica trigger notify_watch_1_insert", "insert"),
    ],
)
def test_a_trigger_that_does_not_fire_is_named(db, id, act, event):
    db.execute(act)
    [fault] = amiss(db)
    assert fault.fault.startswith(f"watch {id} of public.orders tells no {event}")


def test_a_chosen_column_that_was_renamed_is_named(db, id):
    db.execute("alter table orders rename total to amount")
    [fault] = amiss(db)
    assert (
        fault.fault
        == f"watch {id} names column total of public.orders, which was renamed or dropped"
    )


def test_a_secret_that_is_missing_is_named(db, id):
    db.execute("delete from notify.watch_secret")
    assert [f.fault for f in amiss(db)] == ["notify.watch_secret is empty: no watch tells anything"]


def test_a_watched_table_that_became_a_partition_is_named_until_its_parent_is_watched(db, id):
    db.execute("alter table orders rename to orders_all")
    db.execute("create table orders (like orders_all, primary key (id)) partition by range (id)")
    db.execute("alter table orders attach partition orders_all default")
    [fault] = amiss(db)
    assert (
        fault.fault == f"watch {id}: public.orders_all is a partition of public.orders:"
        " what is done through that is not told"
    )
    watch(db, recipient="another")
    assert fault in amiss(db)
    watch(db)
    assert amiss(db) == []


def test_a_watched_table_that_came_to_inherit_is_named(db, id):
    db.execute("create table everything (id int, status text, total numeric(10,2))")
    db.execute("alter table orders inherit everything")
    [fault] = amiss(db)
    assert fault.fault.startswith(f"watch {id}: public.orders inherits from public.everything")
    db.execute("alter table orders no inherit everything")
    assert amiss(db) == []


def test_a_watch_of_the_parent_that_is_told_of_less_does_not_count(db, id):
    db.execute("alter table orders rename to orders_all")
    db.execute("create table orders (like orders_all, primary key (id)) partition by range (id)")
    db.execute("alter table orders attach partition orders_all default")
    watch(db, events=["insert"])
    assert len(amiss(db)) == 1


def test_an_insert_never_reaches_an_heir(db):
    db.execute(ORDERS)
    watch(db, events=["insert"])
    db.execute("create table everything (id int, status text, total numeric(10,2))")
    db.execute("alter table orders inherit everything")
    assert amiss(db) == []
