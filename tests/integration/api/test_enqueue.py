"""POST /notify: what is accepted, and what is committed when it is."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.integration.api.serving import HOOK, LINE, MAIL, Api


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def chunked(parts: list[bytes]) -> bytes:
    """Write a body in chunks (RFC 9112 section 7.1)."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [*parts, b""])


def test_a_202_means_that_the_row_is_committed(api: Api, db) -> None:
    answer = api.post(HOOK)
    assert answer.status == 202
    assert answer.json["status"] == "queued"
    assert answer.headers["Location"] == answer.json["links"]["self"]
    row = db.execute("select * from notify.notifications").fetchone()
    assert str(row.id) == answer.json["id"]
    assert datetime.fromisoformat(answer.json["created_at"]) == row.created_at
    assert (row.channel, row.recipient, row.payload) == tuple(HOOK.values())
    assert (row.status, row.priority, row.max_attempts) == ("queued", 2, None)


def test_every_optional_field_reaches_its_column(api: Api, db) -> None:
    given: dict[str, Any] = {
        "priority": 0,
        "send_at": in_days(1),
        "expires_at": in_days(2),
        "max_attempts": 7,
        "reference": "order ☃",
    }
    assert api.post(LINE | given).status == 202
    row = db.execute("select * from notify.notifications").fetchone()
    assert (row.priority, row.max_attempts, row.reference) == (0, 7, "order ☃")
    assert row.send_at == row.due_at == datetime.fromisoformat(given["send_at"])
    assert row.expires_at == datetime.fromisoformat(given["expires_at"])


def test_what_is_accepted_has_a_line_in_the_log_and_what_is_refused_has_none(
    api: Api, transitions
) -> None:
    first = api.post(LINE | {"reference": "order 1", "priority": 0}).json["id"]
    second = api.post(LINE).json["id"]
    assert api.post(LINE | {"priority": 9}).status == 422
    assert transitions == [
        (
            "enqueued",
            {
                "notification_id": UUID(first),
                "channel": "log",
                "priority": 0,
                "reference": "order 1",
            },
        ),
        ("enqueued", {"notification_id": UUID(second), "channel": "log", "priority": 2}),
    ]


def test_null_means_the_same_as_leaving_a_field_out(api: Api, db) -> None:
    absent = dict.fromkeys(["priority", "send_at", "expires_at", "max_attempts", "reference"])
    assert api.post(LINE | absent).status == 202
    row = db.execute("select * from notify.notifications").fetchone()
    assert (row.priority, row.send_at, row.expires_at) == (2, None, None)


def test_a_send_at_in_the_past_is_due_now(api: Api, db) -> None:
    assert api.post(LINE | {"send_at": in_days(-1)}).status == 202
    row = db.execute("select * from notify.notifications").fetchone()
    assert row.due_at >= row.created_at


def test_of_duplicate_names_the_last_counts(api: Api, db) -> None:
    body = b'{"channel":"log","recipient":"a","recipient":"b","payload":{"x":1,"x":2}}'
    assert api.post(body).status == 202
    row = db.execute("select recipient, payload from notify.notifications").fetchone()
    assert row == ("b", {"x": 2})


def test_an_address_is_stored_normalized(api: Api, db) -> None:
    assert api.post(MAIL | {"recipient": "Me@EXAMPLE.com"}).status == 202
    [recipient] = db.execute("select recipient from notify.notifications").fetchone()
    assert recipient == "Me@example.com"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/vnd.example+json",
    ],
)
def test_json_may_be_declared_as(content_type: str, api: Api) -> None:
    assert api.post(HOOK, content_type).status == 202


def test_a_body_of_exactly_256_kib_is_accepted(api: Api) -> None:
    start, end = b'{"channel":"log","recipient":"me","payload":"', b'"}'
    body = start + b"x" * (256 * 1024 - len(start) - len(end)) + end
    assert api.post(body).status == 202
    assert api.post(body + b" ").json["code"] == "body_too_large"


def test_a_body_without_a_length_is_read_up_to_the_limit(api: Api) -> None:
    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    short = [b'{"channel":"log",', b'"recipient":"me","payload":1}']
    assert api.ask("POST", "/notify", chunked(short), **headers).status == 202
    long = [b" " * 1000] * 300
    answer = api.ask("POST", "/notify", chunked(long), **headers)
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")


def test_what_is_accepted_is_counted_by_channel(api: Api) -> None:
    api.post(HOOK)
    api.post(LINE)
    api.post(LINE)
    api.post(b"{")
    assert api.metric("api_jobs_enqueued_total", channel="log") == 2
    assert api.metric("api_jobs_enqueued_total", channel="webhook") == 1
    assert api.metric("api_jobs_enqueue_failed_total", reason="invalid") == 1


def test_ids_sort_by_time(api: Api) -> None:
    ids = [UUID(api.post(LINE).json["id"]) for _ in range(3)]
    assert ids == sorted(ids)
    assert {id.version for id in ids} == {7}
