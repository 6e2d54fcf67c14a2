"""Unmet rule: what accept() asks; tests/sql/test_accept.py goes through the rules."""

import json
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from tests.ledger import ago, insert, row


def id_of(db, interval):
    """Make a UUIDv7 of a moment."""
    query = (
        "select overlay(overlay(notify.id_floor(clock_timestamp() + %s::interval)::text"
        " placing '7' from 15) placing '8' from 20)::uuid as id"
    )
    return db.execute(query, [interval]).fetchone().id


@pytest.mark.parametrize("interval", ["-23:59:00", "-1 minute", "1 minute", "23:59:00"])
def test_an_id_of_the_producers_own_is_taken_within_a_day(shared_db, interval):
    id = id_of(shared_db, interval)
    assert insert(shared_db, id=id).id == id


@pytest.mark.parametrize("interval", ["-24:01:00", "24:01:00", "-10 years", "10 years"])
def test_an_id_of_another_day_is_refused_and_not_replaced(shared_db, interval):
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        insert(shared_db, id=id_of(shared_db, interval))
    assert caught.value.diag.constraint_name == "id_is_of_today"
    assert caught.value.diag.column_name == "id"


@pytest.mark.parametrize("id", [UUID(int=0), UUID(int=2**128 - 1)])
def test_an_id_that_is_no_uuid_v7_is_refused(shared_db, id):
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        insert(shared_db, id=id)
    assert caught.value.diag.constraint_name == "id_is_a_uuid_v7"


def test_an_insert_that_is_repeated_with_its_id_makes_one(shared_db):
    id = id_of(shared_db, "0")
    for _ in range(2):
        shared_db.execute(
            "insert into notify.notifications (id, channel, recipient, payload)"
            " values (%s, 'log', 'r', '{}') on conflict do nothing",
            [id],
        )
    assert row(shared_db, id)
    count = shared_db.execute("select count(*) as n from notify.notifications").fetchone().n
    assert count == 1


@pytest.mark.parametrize(
    ("rule", "columns"),
    [
        ("recipient_is_1_to_2048_printable_characters", {"recipient": "\u0301" * 10_000_000}),
        ("reference_is_1_to_255_characters", {"reference": "\u0301" * 10_000_000}),
        ("reference_is_printable", {"reference": "a\nb"}),
        ("reference_is_printable", {"reference": "a\u2028b"}),
        ("payload_is_at_most_256_kib", {"payload": json.dumps([1] * 200_000)}),
        ("payload_is_at_most_256_kib", {"payload": json.dumps({"a": "x" * 10_000_000})}),
        (
            "payload_is_at_most_256_kib",
            {
                "channel": "email",
                "recipient": "a@b.example",
                "payload": json.dumps({"subject": "s" * 300_000, "text": "t"}),
            },
        ),
    ],
)
def test_length_comes_before_content(shared_db, rule, columns):
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        insert(shared_db, **columns)
    assert caught.value.diag.constraint_name == rule


def test_binary_json_is_never_five_times_as_long_as_its_text(shared_db):
    """So that what is refused by its binary length alone is too long as text as well."""
    for text in ("[1,1]", "[[],[]]", "[true]", '["",""]', '{"":{}}', "[[[[[]]]]]", "[0]", "[null]"):
        inner = text[1:-1]
        many = text[0] + ",".join([inner] * 2000) + text[-1] if text[0] == "[" else text
        query = (
            "select pg_column_size(p) as b, octet_length(p::text) as t"
            " from (select %s::jsonb) as x(p)"
        )
        size = shared_db.execute(query, [many]).fetchone()
        assert size.b < 5 * size.t + 24, text


def test_accept_runs_it_inlined(shared_db):
    """A call that is not inlined costs each row as much as all rules together."""
    plan = shared_db.execute(
        "explain (verbose) select notify.unmet_rule(n.id, n.status, n.attempt, true, n.channel,"
        " n.recipient, n.payload, n.priority, n.max_attempts, n.reference, n.send_at, n.due_at,"
        " n.expires_at, n.created_at, n.producer, n.idempotency_key) from notify.notifications n"
    ).fetchall()
    assert not any("unmet_rule(" in line[0] or "is_http_url(" in line[0] for line in plan)


def test_times_are_bounded_by_the_time_of_the_insert(shared_db):
    later = ago(shared_db, "-364 days")
    assert insert(shared_db, send_at=later, expires_at=later + timedelta(1)).due_at == later
