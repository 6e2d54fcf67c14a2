"""notify.explain(): each notification explained to whom it belongs."""

from uuid import uuid4

import psycopg
import pytest

from tests.explaining import explain
from tests.producers import producer


def test_who_enqueued_it_and_in_which_transaction(road, dsn):
    with producer(road, dsn, "shop") as shop, shop.transaction():
        id = shop.execute("select notify.send('log', 'r', '{}') as id").fetchone().id
        xid = shop.execute("select pg_current_xact_id()::text as x").fetchone().x
    got = explain(road, id)["enqueued"].sentence
    assert f"by 'shop', in transaction {xid}." in got


def test_what_is_not_there_is_not_found(road):
    got = road.execute("select * from notify.explain(gen_random_uuid())").fetchall()
    assert [r.code for r in got] == ["not_found"]


def test_a_producer_sees_its_own_rows_explained_and_no_others(road, dsn):
    with producer(road, dsn, "shop") as shop, producer(road, dsn, "other") as other:
        id = shop.execute("select notify.send('log', 'r', '{}') as id").fetchone().id
        assert list(explain(shop, id)) == ["next", "enqueued"]
        assert explain(other, id) == explain(other, uuid4())
        assert list(explain(other, id)) == ["not_found"]
        assert list(explain(road, id)) == ["next", "enqueued"]
        for table in ("workers", "destination_state"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                shop.execute(f"select from notify.{table}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            shop.execute("select notify.beat('w', 'h', '1', null, '{}', '1 h', 1, 1, 1, '1 s')")
