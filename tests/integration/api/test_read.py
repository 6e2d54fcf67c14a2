"""GET /notifications and /notifications/{id}."""

from urllib.parse import quote

import pytest

from tests import ledger
from tests.integration.api.serving import HOOK, LINE, Api


def ids(answer) -> list[str]:
    return [item["id"] for item in answer.json["items"]]


def test_a_notification_shows_all_that_was_said(api: Api) -> None:
    given = HOOK | {"priority": 1, "reference": "r", "max_attempts": 5}
    found = api.get(api.post(given).json["links"]["self"]).json
    assert given.items() <= found.items()
    assert (found["status"], found["attempt"], found["attempts"]) == ("queued", 0, [])
    assert found["links"]["self"] == f"/notifications/{found['id']}"


def test_every_attempt_is_shown_with_what_came_of_it(api: Api, db) -> None:
    id = api.post(HOOK).json["id"]
    ledger.claim(db)
    for rest in (
        "1, clock_timestamp(), 12, 'temporary', '503', 'busy', 'host:1', true",
        "2, clock_timestamp(), null, 'lease_expired', null, null, 'host:2', false",
    ):
        db.execute(f"insert into notify.attempts values (%s, {rest})", [id])
    found = api.get(f"/notifications/{id}").json
    assert found["status"] == "sending"
    first, second = found["attempts"]
    assert first.pop("started_at").endswith("Z")
    assert first == {
        "attempt": 1, "took_ms": 12, "outcome": "temporary", "code": "503", "excerpt": "busy",
        "worker": "host:1", "counted": True}  # fmt: skip
    assert (second["attempt"], second["took_ms"], second["outcome"]) == (2, None, "lease_expired")
    assert second["counted"] is False


def test_one_whose_payload_was_emptied_says_since_when(api: Api, db) -> None:
    id = ledger.put(db, "sent", payload="null", emptied_at="2026-01-01Z")
    found = api.get(f"/notifications/{id}").json
    assert (found["payload"], found["emptied_at"]) == (None, "2026-01-01T00:00:00Z")
    [listed] = api.get("/notifications").json["items"]
    assert listed["emptied_at"] == found["emptied_at"]


def test_the_transaction_and_the_trace_that_enqueued_it_are_shown(api: Api, db) -> None:
    """The number may be larger than a JavaScript number holds: it is a text."""
    id = api.post(HOOK).json["id"]
    trace = f"00-{'4b' * 16}-{'00f067aa' * 2}-01"
    ledger.change(db, id, transaction_id="18446744073709551615", traceparent=trace)
    found = api.get(f"/notifications/{id}").json
    [listed] = api.get("/notifications").json["items"]
    for shown in (found, listed):
        assert (shown["transaction_id"], shown["traceparent"]) == ("18446744073709551615", trace)


def test_an_outcome_that_only_a_newer_release_knows_is_shown_as_it_is(api: Api, db) -> None:
    """Its workers write while this API still answers, or answers again after a step back."""
    id = api.post(HOOK).json["id"]
    db.execute("alter table notify.attempts drop constraint outcome_is_known")
    db.execute(
        "insert into notify.attempts (notification_id, attempt, started_at, outcome, worker)"
        " values (%s, 1, clock_timestamp(), 'of_tomorrow', 'host:1')",
        [id],
    )
    [attempt] = api.get(f"/notifications/{id}").json["attempts"]
    assert attempt["outcome"] == "of_tomorrow"


def test_a_row_of_sql_with_a_huge_number_can_be_read(api: Api, db) -> None:
    [id] = db.execute(
        "insert into notify.notifications (channel, recipient, payload)"
        " values ('log', 'me', '1e20000') returning id"
    ).fetchone()
    answer = api.ask("HEAD", f"/notifications/{id}")
    assert (answer.status, int(answer.headers["Content-Length"]) > 20_000) == (200, True)


@pytest.mark.parametrize(
    "id",
    ["01a202f8-7610-7e1c-908b-be00881bc450", "nothing", "1", "%00", "%ff", "x" * 36,
     "01a202f876107e1c908bbe00881bc450"],
)  # fmt: skip
def test_what_names_no_notification_is_a_404(id: str, api: Api, tracebacks: list[str]) -> None:
    answer = api.get(f"/notifications/{id}")
    assert (answer.status, answer.json["code"]) == (404, "notification_not_found")
    assert not tracebacks


def test_the_list_is_newest_first_and_without_payloads(api: Api) -> None:
    posted = [api.post(HOOK).json["id"] for _ in range(3)]
    answer = api.get("/notifications")
    assert ids(answer) == posted[::-1]
    assert answer.json["next"] is answer.json["links"]["next"] is None
    assert not {"payload", "attempts"} & answer.json["items"][0].keys()


def test_pages_follow_without_gap_or_repeat(api: Api) -> None:
    posted = [api.post(LINE | {"reference": "a&b"}).json["id"] for _ in range(5)]
    api.post(LINE)
    seen, path, pages = [], f"/notifications?limit=2&reference={quote('a&b')}", 0
    while path:
        answer = api.get(path)
        seen += ids(answer)
        path = answer.json["links"]["next"]
        pages += 1
    assert (seen, pages) == (posted[::-1], 3)


def test_filters_narrow_together(api: Api, db) -> None:
    hook, line = api.post(HOOK).json["id"], api.post(LINE | {"reference": "r"}).json["id"]
    ledger.claim(db, [hook])
    assert ids(api.get("/notifications?channel=webhook")) == [hook]
    assert ids(api.get("/notifications?status=queued")) == [line]
    assert ids(api.get("/notifications?status=sending&channel=log")) == []
    assert ids(api.get("/notifications?reference=r&status=queued&channel=log")) == [line]


def test_it_is_found_by_recipient_code_worker_producer_and_time(api: Api, db) -> None:
    api.post(LINE)
    wanted = ledger.put(db, "failed", channel="email", recipient="ada@xn--fa-hia.example",
                        last_error_code="503", producer="shop")  # fmt: skip
    db.execute(
        "insert into notify.attempts (notification_id, attempt, started_at, outcome, worker)"
        " values (%s, 1, now(), 'temporary', 'host:1-ab')", [wanted],
    )  # fmt: skip
    for query in ("destination=xn--fa-hia.example", "destination=XN--Fa-hia.example.",
                  "recipient=ada@faß.example", "recipient=ADA@xn--fa-hia.example", "worker=host:1",
                  "last_error_code=503", "producer=shop", "status=failed&recipient=ada@faß.example",
                  "last_error_code=503&created_from=2020-01-01T00:00:00Z",
                  "last_error_code=503&created_until=2998-01-01T00:00:00%2B02:00"):  # fmt: skip
        assert ids(api.get(f"/notifications?{quote(query, safe='=&%')}")) == [str(wanted)], query
    for query in (
        "recipient=ada", "destination=fa-hia.example", "worker=ost", "last_error_code=50",
        "producer=sho",
        "created_from=2998-01-01T00:00:00Z", "created_until=2020-01-01T00:00:00Z",
    ):  # fmt: skip
        assert ids(api.get(f"/notifications?{query}")) == [], query


def test_pages_of_a_time_follow_with_the_same_times(api: Api) -> None:
    posted = [api.post(LINE).json["id"] for _ in range(3)]
    since = quote("2020-01-01T00:00:00+02:00")
    first = api.get(f"/notifications?limit=2&created_from={since}")
    assert ids(first) == posted[:0:-1]
    assert ids(api.get(first.json["links"]["next"])) == posted[:1]


def test_an_empty_parameter_counts_as_not_given(api: Api) -> None:
    id = api.post(LINE).json["id"]
    assert ids(api.get("/notifications?status=&channel=&reference=&limit=&cursor=")) == [id]


WRONG = {
    "status=done": ("invalid_parameter", "status"),
    "status=QUEUED": ("invalid_parameter", "status"),
    "channel=sms": ("invalid_parameter", "channel"),
    "limit=0": ("invalid_parameter", "limit"),
    "limit=201": ("invalid_parameter", "limit"),
    "limit=-1": ("invalid_parameter", "limit"),
    "limit=1e2": ("invalid_parameter", "limit"),
    "limit=%D9%A1": ("invalid_parameter", "limit"),
    "cursor=abc": ("invalid_parameter", "cursor"),
    "reference=a%00": ("invalid_parameter", "reference"),
    "recipient=a%0a": ("invalid_parameter", "recipient"),
    "last_error_code=" + "c" * 256: ("invalid_parameter", "last_error_code"),
    "created_from=2020-01-01": ("invalid_parameter", "created_from"),
    "created_until=2020-01-01T00:00:00": ("invalid_parameter", "created_until"),
    "created_from=2020-01-01T00:00:00+02:00": ("invalid_parameter", "created_from"),
    "status=sent&status=failed": ("invalid_parameter", "status"),
    "page=2": ("unknown_parameter", "page"),
    "Status=sent": ("unknown_parameter", "Status"),
}


@pytest.mark.parametrize("query", WRONG)
def test_a_wrong_parameter_is_named(query: str, api: Api, tracebacks: list[str]) -> None:
    code, parameter = WRONG[query]
    answer = api.get(f"/notifications?{query}")
    assert (answer.status, answer.json["code"]) == (422, code)
    assert answer.json["errors"][0]["parameter"] == parameter
    assert not tracebacks


def test_a_parameter_that_is_not_utf_8_never_fails_here(api: Api, tracebacks: list[str]) -> None:
    assert api.get("/notifications?reference=%ff%fe").status in (200, 422)
    assert not tracebacks
