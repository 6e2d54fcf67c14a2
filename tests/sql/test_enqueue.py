"""Enqueueing many requests as one statement."""

import json
from datetime import timedelta

import psycopg
import pytest

from tests.ledger import ago, row


@pytest.fixture
def db(shared_db):
    return shared_db


def enqueue(db, *rows):
    query = "select * from notify.enqueue(%s::jsonb)"
    return db.execute(query, [json.dumps(rows, default=str)]).fetchall()


def minimal(**fields):
    return {"channel": "log", "recipient": "r", "payload": {}} | fields


def test_ids_come_back_in_the_order_of_the_rows(db):
    got = enqueue(db, *(minimal(reference=f"n{n}") for n in range(200)))
    assert [g.ord for g in got] == list(range(1, 201))
    assert [row(db, g.id).reference for g in got] == [f"n{n}" for n in range(200)]
    assert [g.created_at for g in got] == [row(db, g.id).created_at for g in got]


def test_what_is_left_out_gets_its_default(db):
    [got] = enqueue(db, {"channel": "log", "recipient": "r"})
    kept = row(db, got.id)
    assert (kept.payload, kept.priority, kept.status, kept.attempt, kept.max_attempts) == (
        None,
        2,
        "queued",
        0,
        None,
    )
    assert kept.due_at == kept.created_at


def test_every_field_arrives(db):
    send_at = ago(db, "-1 hour")
    expires_at = send_at + timedelta(hours=1)
    [got] = enqueue(
        db,
        minimal(
            payload=[1, "ü", None],
            priority=0,
            send_at=send_at,
            expires_at=expires_at,
            max_attempts=7,
            reference="order 1",
        ),
    )
    kept = row(db, got.id)
    assert (
        kept.payload,
        kept.priority,
        kept.send_at,
        kept.due_at,
        kept.expires_at,
        kept.max_attempts,
        kept.reference,
    ) == ([1, "ü", None], 0, send_at, send_at, expires_at, 7, "order 1")


def test_one_bad_row_inserts_none_and_names_its_rule(db):
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        enqueue(db, minimal(), minimal(channel="fax"), minimal())
    assert caught.value.diag.constraint_name == "channel_is_known"
    assert db.execute("select count(*) as n from notify.notifications").fetchone().n == 0


def test_no_rows_are_no_rows(db):
    assert enqueue(db) == []


def test_more_than_a_thousand_rows_are_refused_and_not_cut(db):
    assert len(enqueue(db, *[minimal()] * 1000)) == 1000
    with pytest.raises(psycopg.Error) as caught:
        enqueue(db, *[minimal()] * 1001)
    assert caught.value.diag.sqlstate == "ND001"
