"""What a producer may say: each rule refuses by name, names the column, and says what to write."""

from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.ledger import ago, claim, due, enqueue, insert, row, settle


@pytest.fixture
def db(shared_db):
    return shared_db


MAIL = '{"subject": "s", "text": "t"}'


def refused(db, **columns):
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        insert(db, **columns)
    diag = caught.value.diag
    assert diag.message_hint
    return diag.constraint_name, diag.column_name


@pytest.mark.parametrize(
    ("rule", "column", "columns"),
    [
        ("id_is_a_uuid_v7", "id", {"id": uuid4()}),
        ("id_is_a_uuid_v7", "id", {"id": UUID(int=0)}),
        ("new_notifications_are_queued", "status", {"status": "sending"}),
        ("new_notifications_are_queued", "status", {"status": "sent"}),
        ("new_notifications_are_queued", "status", {"attempt": 1}),
        ("channel_is_known", "channel", {"channel": "fax"}),
        ("channel_is_known", "channel", {"channel": ""}),
        ("channel_is_known", "channel", {"channel": "LOG"}),
        ("recipient_is_1_to_2048_printable_characters", "recipient", {"recipient": ""}),
        ("recipient_is_1_to_2048_printable_characters", "recipient", {"recipient": "r" * 2049}),
        ("recipient_is_1_to_2048_printable_characters", "recipient", {"recipient": "a\nb"}),
        (
            "webhook_recipient_is_a_url",
            "recipient",
            {"channel": "webhook", "recipient": "ftp://a/"},
        ),
        (
            "webhook_recipient_is_a_url",
            "recipient",
            {"channel": "webhook", "recipient": "https://"},
        ),
        (
            "webhook_recipient_is_a_url",
            "recipient",
            {"channel": "webhook", "recipient": "a.example"},
        ),
        (
            "webhook_recipient_is_a_url",
            "recipient",
            {"channel": "webhook", "recipient": "https://a.example/b c"},
        ),
        (
            "email_recipient_is_one_mailbox",
            "recipient",
            {"channel": "email", "payload": MAIL, "recipient": "nobody"},
        ),
        (
            "email_recipient_is_one_mailbox",
            "recipient",
            {"channel": "email", "payload": MAIL, "recipient": "a@b.example, c@d.example"},
        ),
        (
            "email_recipient_is_one_mailbox",
            "recipient",
            {"channel": "email", "payload": MAIL, "recipient": "A <a@b.example>"},
        ),
        *[
            (
                "email_payload_has_subject_and_body",
                "payload",
                {"channel": "email", "recipient": "a@b.example", "payload": payload},
            )
            for payload in (
                "{}",
                "[]",
                "null",
                '"s"',
                '{"subject": "s"}',
                '{"text": "t"}',
                '{"subject": 1, "text": "t"}',
                '{"subject": "s", "text": null}',
            )
        ],
        ("payload_is_at_most_256_kib", "payload", {"payload": '"' + "x" * 262144 + '"'}),
        ("priority_is_0_to_3", "priority", {"priority": 4}),
        ("priority_is_0_to_3", "priority", {"priority": -1}),
        ("max_attempts_is_1_to_100", "max_attempts", {"max_attempts": 0}),
        ("max_attempts_is_1_to_100", "max_attempts", {"max_attempts": 101}),
        ("reference_is_1_to_255_characters", "reference", {"reference": ""}),
        ("reference_is_1_to_255_characters", "reference", {"reference": "r" * 256}),
        ("send_at_is_within_a_year", "send_at", {"send_at": "infinity"}),
        ("send_at_is_within_a_year", "send_at", {"send_at": "-infinity"}),
        ("send_at_is_within_a_year", "send_at", {"send_at": "4713-01-01 BC"}),
        ("send_at_is_within_a_year", "send_at", {"send_at": "9999-12-31"}),
        ("expires_at_is_after_send_at", "expires_at", {"expires_at": "2000-01-01"}),
        ("expires_at_is_after_send_at", "expires_at", {"expires_at": "-infinity"}),
        ("expires_at_is_within_10_years", "expires_at", {"expires_at": "infinity"}),
        ("expires_at_is_within_10_years", "expires_at", {"expires_at": "20000-01-01"}),
        *[
            ("new_notifications_are_queued", "status", {column: value})
            for column, value in (
                ("lease_until", "2100-01-01"),
                ("claimed_by", "me"),
                ("settled_at", "2020-01-01"),
                ("last_error", "x" * 5_000_000),
                ("last_error", ""),
                ("last_error_code", "500"),
            )
        ],
    ],
)
def test_what_cannot_be_is_refused_by_name(db, rule, column, columns):
    assert refused(db, **columns) == (rule, column)


def test_expiring_before_it_may_be_sent_is_refused(db):
    later = ago(db, "-2 hours")
    assert refused(db, send_at=later, expires_at=later)[0] == "expires_at_is_after_send_at"
    insert(db, send_at=later, expires_at=later + timedelta(seconds=1))


@pytest.mark.parametrize("column", ["channel", "recipient", "payload"])
def test_what_must_be_said_has_no_default(db, column):
    with pytest.raises(psycopg.errors.NotNullViolation) as caught:
        insert(db, **{column: None})
    assert caught.value.diag.column_name == column


@pytest.mark.parametrize(
    "columns",
    [
        {"recipient": "r" * 2048},
        {"recipient": "Ünïcode ✓"},
        {"channel": "webhook", "recipient": "HTTPS://user@a.example:8443/b?c=d#e"},
        {"channel": "webhook", "recipient": "http://[::1]:3080/"},
        {"channel": "email", "recipient": "a+b@c.example", "payload": MAIL},
        {
            "channel": "email",
            "recipient": "a@b.example",
            "payload": '{"subject": "s", "html": "<p>", "headers": {"X-A": "b"}}',
        },
        {"payload": "null"},
        {"payload": '"' + "x" * 262142 + '"'},
        {"payload": "1e131071"},
        {"priority": 0},
        {"priority": 3},
        {"max_attempts": 1},
        {"max_attempts": 100},
        {"reference": "r" * 255},
    ],
)
def test_what_is_within_bounds_is_accepted(db, columns):
    [id] = enqueue(db, **columns)
    assert [g.id for g in claim(db)] == [id]


def test_the_times_are_the_databases_whatever_the_producer_says(db):
    """One row at 'infinity' would make every look and every settle of its batch fail."""
    got = insert(db, created_at="infinity", due_at="infinity")
    now = ago(db, "0")
    assert got.due_at == got.created_at <= now
    got = insert(db, created_at="-infinity", due_at="-infinity")
    assert now <= got.due_at == got.created_at
    assert len(due(db)[2].ids) == 2
    assert len(settle(db, claim(db))) == 2


def test_send_at_is_kept_and_becomes_the_first_due_at(db):
    later, earlier = ago(db, "-1 hour"), ago(db, "1 hour")
    got = insert(db, send_at=later)
    assert (got.send_at, got.due_at) == (later, later)
    got = insert(db, send_at=earlier)
    assert got.send_at == earlier < got.due_at == got.created_at


def test_an_update_is_not_checked_again(db):
    """Rules may become stricter; a row that is in keeps moving."""
    got = insert(db)
    db.execute("update notify.notifications set channel = 'fax' where id = %s", [got.id])
    assert [s.status for s in settle(db, claim(db, [got.id]))] == ["sent"]
    assert row(db, got.id).channel == "fax"


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


def test_a_row_knows_the_transaction_that_enqueued_it_also_from_savepoints(db):
    with db.transaction():
        kept = [insert(db).transaction_id]
        with db.transaction():
            kept.append(insert(db).transaction_id)
            with db.transaction():
                kept.append(insert(db).transaction_id)
        own = db.execute("select pg_current_xact_id() as x").fetchone().x
    assert kept == [own] * 3
    assert insert(db).transaction_id != own


@pytest.mark.parametrize("said", ["3", "18446744073709551615", None])
def test_no_transaction_can_be_said(db, said):
    with db.transaction():
        got = insert(db, transaction_id=said)
        assert got.transaction_id == db.execute("select pg_current_xact_id() as x").fetchone().x


def test_a_trace_is_kept_of_the_row_before_the_setting(db):
    with db.transaction(force_rollback=True):
        db.execute("select set_config('notify.traceparent', %s, true)", [OTHER])
        assert insert(db, traceparent=TRACE).traceparent == TRACE
        assert insert(db).traceparent == OTHER
    assert insert(db, traceparent=TRACE).traceparent == TRACE
    assert insert(db).traceparent is None


NO_TRACES = [
    "",
    " ",
    "x",
    TRACE.upper(),
    TRACE[:-1],
    TRACE + "0",
    TRACE + "\n",
    " " + TRACE,
    TRACE.replace("-", "_"),
    "ff" + TRACE[2:],
    "00-" + "0" * 32 + TRACE[35:],
    TRACE[:36] + "0" * 16 + "-01",
    TRACE[:-2] + "é1",
    "x" * 100_000,
    "00-" + "\uff10" * 32 + TRACE[35:],
    "'; drop table x; --",
]


@pytest.mark.parametrize("text", NO_TRACES)
def test_what_is_no_trace_is_left_out_and_refuses_nothing(db, text):
    assert insert(db, traceparent=text).traceparent is None
    with db.transaction(force_rollback=True):
        db.execute("select set_config('notify.traceparent', %s, true)", [text])
        assert insert(db).traceparent is None
