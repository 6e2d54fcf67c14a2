"""notify.outcome_of(): the view's rows of one reference, for joins."""

import psycopg
import pytest

from tests.ledger import put
from tests.producers import producer, role, rows_of_others

JOIN = "select o.n, x.status from orders o left join lateral notify.outcome_of(o.ref) x on true"


def send(session, reference="r"):
    query = "select notify.send('log', 'somebody', '{}', reference => %s) as id"
    return session.execute(query, [reference]).fetchone().id


def outcome_of(session, reference):
    return session.execute("select * from notify.outcome_of(%s)", [reference]).fetchall()


def test_it_gives_the_rows_of_the_view(shop):
    send(shop)
    [row] = shop.execute("select * from notify.outcomes where reference = 'r'").fetchall()
    [got] = outcome_of(shop, "r")
    assert got._asdict() == row._asdict()


def test_several_are_newest_first_and_others_are_not_there(db, dsn, shop):
    sent = [send(shop) for _ in range(3)]
    send(shop, "another")
    with producer(db, dsn, "other") as other:
        send(other)
        assert [o.id for o in outcome_of(shop, "r")] == sorted(sent, reverse=True)
        assert len(outcome_of(other, "r")) == 1


@pytest.mark.parametrize("reference", ["", "nobody's", None, "r%", "x" * 100_000])
def test_what_is_not_there_is_no_row(shop, reference):
    send(shop)
    assert outcome_of(shop, reference) == []


def test_it_returns_a_thousand_at_most(shop):
    shop.execute(
        "insert into notifications (channel, recipient, payload, reference)"
        " select 'log', 'r', '1', 'many' from generate_series(1, 1001)"
    )
    assert len(outcome_of(shop, "many")) == 1000


def test_rows_of_others_of_its_reference_hide_none_in_silence(db, shop):
    id = send(shop)
    rows_of_others(db, 9_999, "r")
    assert [o.id for o in outcome_of(shop, "r")] == [id]
    rows_of_others(db, 1, "r")
    with pytest.raises(psycopg.errors.DatabaseError) as caught:
        outcome_of(shop, "r")
    assert caught.value.sqlstate == "ND010"
    assert outcome_of(shop, "another") == []


def test_a_thousand_of_its_own_are_enough_however_many_others_have(db, shop):
    rows_of_others(db, 10_001, "r")
    shop.execute(
        "insert into notifications (channel, recipient, payload, reference)"
        " select 'log', 'r', '1', 'r' from generate_series(1, 1000)"
    )
    assert len(outcome_of(shop, "r")) == 1000


def test_it_joins_orders_with_what_became_of_them(db, shop):
    shop.execute("create temp table orders as values (1, 'a'), (2, 'b')")
    shop.execute("alter table orders rename column1 to n; alter table orders rename column2 to ref")
    send(shop, "a")
    put(db, "sent", producer="shop", reference="a")
    rows = shop.execute(JOIN + " order by 1, 2").fetchall()
    assert [tuple(row) for row in rows] == [(1, "queued"), (1, "sent"), (2, None)]


def test_whoever_was_not_granted_it_may_not_ask(db, dsn):
    with role(db) as user:
        db.execute(f"grant usage on schema notify to {user}")
        with (
            psycopg.connect(dsn, user=user, password="p") as session,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            session.execute("select * from notify.outcome_of('r')")
