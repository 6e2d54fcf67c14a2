"""The header traceparent: kept on the row and in the log line; what is wrong is ignored."""

import json
from http.client import HTTPConnection

import pytest

from tests import ledger
from tests.integration.api.serving import HOOK, LIMIT_S, LINE, Api
from tests.unit.test_traceparent import GOOD, PARENT, TRACE, WRONG

UNSENDABLE = ("\n", "\r", "\0", "\u0660")  # a client of HTTP refuses these itself
SENT = {name: text for name, text in WRONG.items() if not any(c in text for c in UNSENDABLE)}
# A field's value has no spaces around it (RFC 9112 section 5.1).
SENT = {name: text for name, text in SENT.items() if text.strip() == text}


def stored(db):
    query = "select traceparent from notify.notifications order by id"
    return [row.traceparent for row in db.execute(query)]


def test_it_is_kept_on_the_row_and_its_trace_is_in_the_log(api: Api, db, transitions) -> None:
    assert api.post(HOOK, traceparent=GOOD).status == 202
    assert stored(db) == [GOOD]
    assert [(event, row["trace_id"]) for event, row in transitions] == [("enqueued", TRACE)]


def test_a_later_version_is_kept_as_the_one_that_we_know(api: Api, db) -> None:
    assert api.post(LINE, traceparent=f"01-{TRACE}-{PARENT}-09-more").status == 202
    assert stored(db) == [GOOD]


@pytest.mark.parametrize("wrong", SENT)
def test_one_that_is_wrong_is_ignored(api: Api, db, transitions, wrong) -> None:
    assert api.post(LINE, traceparent=SENT[wrong]).status == 202
    assert stored(db) == [None]
    assert "trace_id" not in transitions[0][1]


@pytest.mark.parametrize("path", ["/notify", "/notify/batch"])
def test_several_are_none(api: Api, db, path) -> None:
    body = json.dumps(LINE if path == "/notify" else [LINE]).encode()
    connection = HTTPConnection("127.0.0.1", api.port, timeout=LIMIT_S)
    connection.putrequest("POST", path)
    for name, value in (
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("traceparent", GOOD),
        ("Traceparent", GOOD),
    ):
        connection.putheader(name, value)
    connection.endheaders(body)
    assert connection.getresponse().status in (200, 202)
    connection.close()
    assert stored(db) == [None]


def test_that_of_a_batch_is_every_items(api: Api, db, transitions) -> None:
    headers = {"Content-Type": "application/json", "traceparent": GOOD}
    answer = api.ask("POST", "/notify/batch", json.dumps([LINE, {}, HOOK]).encode(), **headers)
    assert (answer.json["accepted"], answer.json["refused"]) == (2, 1)
    assert stored(db) == [GOOD, GOOD]
    assert [row["trace_id"] for _, row in transitions] == [TRACE, TRACE]


def test_an_item_has_none_of_its_own(api: Api) -> None:
    assert api.post(LINE | {"traceparent": GOOD}).json["errors"][0]["code"] == "unknown_field"


def test_it_makes_no_other_request_of_a_repetition(api: Api, db, transitions) -> None:
    other = f"00-{'a' * 32}-{PARENT}-01"
    keyed = LINE | {"idempotency_key": "order-42"}
    assert api.post(keyed, traceparent=GOOD).status == 202
    assert api.post(keyed, traceparent=other).status == 200
    assert stored(db) == [GOOD]
    assert len(transitions) == 1


def test_what_is_cancelled_says_its_trace(api: Api, db, events) -> None:
    ids = [api.post(LINE, traceparent=GOOD).json["id"], *ledger.enqueue(db)]
    for id in ids:
        assert api.ask("POST", f"/notifications/{id}/cancel").status == 200
    traces = [fields.get("trace_id") for event, fields in events if event == "cancelled"]
    assert traces == [TRACE, None]
