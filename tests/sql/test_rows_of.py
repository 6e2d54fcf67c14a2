"""What a JSON array says, as rows: one element after the other, with the table's defaults."""

import json
from datetime import UTC, datetime

import psycopg
import pytest

FULL = {
    "channel": "webhook",
    "recipient": "https://a.example/",
    "payload": {"n": [1, None]},
    "priority": 0,
    "send_at": "2030-01-31T12:00:00+02:00",
    "expires_at": "2030-02-01T00:00:00Z",
    "max_attempts": 7,
    "reference": "r",
    "idempotency_key": "k",
    "producer": "bank",
    "is_test": True,
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}


def rows(db, *elements, producer="shop"):
    query = "select * from notify.rows_of(%s, %s::jsonb) r"
    return db.execute(query, [producer, json.dumps(elements)]).fetchall()


def test_what_is_said_stays_as_it_is(db):
    [row] = rows(db, FULL)
    times = {
        "send_at": datetime(2030, 1, 31, 10, tzinfo=UTC),
        "expires_at": datetime(2030, 2, 1, tzinfo=UTC),
    }
    assert row._asdict() == FULL | times | {"ord": 1}


def test_what_is_left_out_or_null_has_the_tables_default(db):
    least = {"channel": "log", "recipient": "r"}
    for element in (least, least | dict.fromkeys([*FULL.keys() - least.keys()])):
        [row] = rows(db, element)
        assert (row.payload, row.priority, row.producer, row.is_test) == (None, 2, "shop", False)
        rest = ("send_at", "expires_at", "max_attempts", "reference", "idempotency_key",
                "traceparent")  # fmt: skip
        assert [getattr(row, name) for name in rest] == [None] * 6
    query = "select payload::text from notify.rows_of('p', %s::jsonb)"
    assert db.execute(query, [json.dumps([least])]).fetchone() == ("null",)


def test_rows_stand_in_the_order_of_their_elements(db):
    found = rows(db, *({"reference": str(n)} for n in range(300)))
    assert [(row.ord, row.reference) for row in found] == [(n + 1, str(n)) for n in range(300)]


def test_what_is_no_array_of_objects_is_an_error(db):
    for wrong in ('{"channel": "log"}', "[1]", '"x"'):
        with pytest.raises(psycopg.Error):
            db.execute("select * from notify.rows_of('p', %s::jsonb)", [wrong])


def test_it_becomes_part_of_the_statement_that_calls_it(db):
    """Or each batch would be copied once more, and each call would start SQL anew."""
    plan = db.execute(
        "explain select r.channel from notify.rows_of('p', '[{}]'::jsonb) r"
    ).fetchall()
    assert "Function Scan on jsonb_to_recordset" in str(plan)
    assert "rows_of" not in str(plan)


def test_functions_of_before_get_the_rows_without_what_they_do_not_know(db):
    query = "select * from notify.rows_of(%s::jsonb, 'shop') r"
    [row] = db.execute(query, [json.dumps([FULL])]).fetchall()
    [now] = rows(db, FULL)
    assert row._asdict() == {n: v for n, v in now._asdict().items() if n != "traceparent"}
