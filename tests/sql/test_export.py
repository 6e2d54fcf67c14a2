"""An export: a line for each notification, with every column that is kept, and its attempts."""

import json
import re

import pytest

from tests.ledger import attempts_of, claim, enqueue, put, row, settle
from tests.sql.long import old_id

ODD_TEXTS = ["line\nend", '"', "\u2028", "☃", "\\u0000", "</script>", "ä" * 2000]


@pytest.fixture
def db(shared_db):
    return shared_db


def export(db, ids):
    return [r.line for r in db.execute("select line from notify.export(%s)", [ids])]


def columns(db, table):
    query = (
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0"
        " and not attisdropped"
    )
    return {r.attname for r in db.execute(query, [table])}


def test_every_column_and_every_attempt_is_in_it(db):
    [id] = enqueue(db, 1, reference="x", payload='{"a": [1, "b"]}')
    settle(db, claim(db, [id]), "unknown", excerpt="what?")
    db.execute("update notify.notifications set due_at = now()")
    settle(db, claim(db, [id]))
    [line] = map(json.loads, export(db, [id]))
    attempts = line.pop("attempts")
    assert line.keys() == columns(db, "notify.notifications")
    assert {*attempts[0]} == columns(db, "notify.attempts") - {"notification_id"}
    assert (line["id"], line["payload"], line["reference"]) == (str(id), {"a": [1, "b"]}, "x")
    assert line["transaction_id"] == row(db, id).transaction_id  # a text: it may be beyond 2^53
    assert [(a["attempt"], a["excerpt"]) for a in attempts] == [
        (a.attempt, a.excerpt) for a in attempts_of(db, id)
    ]


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_each_is_one_line_whatever_is_in_it(db, text):
    [id] = enqueue(db, 1, payload=json.dumps({"t": text}))
    [line] = export(db, [id])
    assert "\n" not in line
    assert json.loads(line)["payload"] == {"t": text}


@pytest.mark.parametrize("number", ["1" + "0" * 300, "1.10", "0.10000000000000000555111512"])
def test_numbers_are_what_they_were(db, number):
    [id] = enqueue(db, 1, payload=f'{{"n": {number}}}')
    [line] = export(db, [id])
    assert re.search(r'"payload": \{"n": ([^}]+)\}', line)[1] == number


def test_they_come_in_the_order_of_their_ids_over_all_days(db):
    ids = [put(db, "sent", id=old_id(db, days)) for days in (40, 2)] + enqueue(db, 2)
    lines = map(json.loads, export(db, ids[::-1]))
    assert [line["id"] for line in lines] == [str(id) for id in ids]


def test_what_is_not_there_has_no_line(db):
    assert export(db, [old_id(db, 3)]) == export(db, []) == []


def test_it_changes_nothing(db):
    [id] = enqueue(db, 1)
    before = row(db, id)
    export(db, [id])
    assert row(db, id) == before
