"""Which arrays notify.send_many() reads, and what is said of the others."""

import pytest
from psycopg.types.json import Jsonb


@pytest.fixture
def db(shared_db):
    return shared_db


def odd(db, notifications):
    query = "select notify.odd_member(%s) as hint"
    return db.execute(query, [Jsonb(notifications)]).fetchone().hint


@pytest.mark.parametrize(
    "notifications",
    [
        [],
        [{}],
        [{"channel": "log", "recipient": "r", "payload": None}],
        [{"payload": payload} for payload in (1, "a", True, [], {})],
        [{"priority": 10**30, "max_attempts": -1, "notify_on_end": True, "traceparent": "x"}],
        [dict.fromkeys(("channel", "reference", "priority", "send_at", "notify_on_end"))],
        [{}] * 1000,
    ],
)
def test_what_it_reads_is_not_odd(db, notifications):
    assert odd(db, notifications) is None


@pytest.mark.parametrize(
    ("notifications", "hint"),
    [
        ({}, "array of objects"),
        (None, "array of objects"),
        ("[]", "array of objects"),
        ([{}] * 1001, "at most 1000"),
        ([{}, 3], "element 2."),
        ([None], "element 1."),
        ([[]], "element 1."),
        ([{}, {}, {"Channel": "log"}], "element 3, member Channel."),
        ([{"": 1}], "element 1, member ."),
        ([{"options": {}}], "element 1, member options."),
        ([{"id": "x"}], "member id."),
        ([{"producer": "other"}], "member producer."),
        ([{"recipient": 5}], "member recipient."),
        ([{"recipient": ["a", "b"]}], "member recipient."),
        ([{"priority": "1"}], "member priority."),
        ([{"priority": 1.5}], "member priority."),
        ([{"max_attempts": True}], "member max_attempts."),
        ([{"notify_on_end": "true"}], "member notify_on_end."),
        ([{"send_at": 1700000000}], "member send_at."),
    ],
)
def test_what_it_cannot_read_is_named_with_its_place(db, notifications, hint):
    assert hint in odd(db, notifications)


def test_no_array_at_all_is_odd(db):
    assert "array" in db.execute("select notify.odd_member(null) as hint").fetchone().hint


def test_a_long_name_is_cut(db):
    assert len(odd(db, [{"x" * 100_000: 1}])) < 1000
