"""notify.watch_query(): one join of the two transition tables, by hash, however many rows."""

import psycopg
import pytest

from tests.sql.watching import ORDERS

QUERY = "select notify.watch_query('orders', %s, null, null, %s, null) as q"


@pytest.fixture
def orders(db):
    db.execute(ORDERS)


def plan(db, event, rows):
    """Explain the query over materialized rows, as many as asked for."""
    query = db.execute(QUERY, [event, None]).fetchone().q
    query = query.replace("$1", "'t'").replace("$2", "now()")
    rows = (
        "select i as id, ''::text as status, 1.0::numeric(10,2) as total"
        f" from generate_series(1, {rows}) i"
    )
    db.execute("set jit = off")
    db.execute(
        f"create temporary table old_rows as {rows}; create temporary table new_rows as {rows}"
    )
    db.execute("analyze old_rows; analyze new_rows")
    return "\n".join(r[0] for r in db.execute(f"explain {query}").fetchall())


def test_an_update_is_paired_by_a_hash_join(db, orders):
    assert "Hash Full Join" in plan(db, "update", 100_000)


@pytest.mark.parametrize("event", ["insert", "delete"])
def test_an_insert_and_a_delete_read_their_rows_once(db, orders, event):
    words = plan(db, event, 100_000)
    assert words.count("Seq Scan") == 1
    assert "Hash" not in words


def test_a_condition_is_asked_before_a_payload_is_made(db, orders):
    query = db.execute(QUERY, ["update", "new.total > 1"]).fetchone().q
    assert query.index("jsonb_build_object") < query.index(" where ") < query.index("new.total > 1")


def test_a_table_without_a_key_is_refused(db):
    db.execute("create table orders (id int)")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as caught:
        db.execute(QUERY, ["insert", None])
    assert "add primary key" in caught.value.diag.message_hint
