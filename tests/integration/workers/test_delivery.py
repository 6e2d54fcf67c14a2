import json
import time
from functools import partial

import pytest
from standardwebhooks import Webhook

from service.clock import Clock
from service.errors import DatabaseAway
from tests import ledger
from tests.waiting import wait_for

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def webhook(db, sink, path, **columns):
    return ledger.enqueue(
        db, channel="webhook", recipient=sink.url + path, **({"payload": "{}"} | columns)
    )[0]


def settled(db, id_):
    """Wait until it is settled; return the row and its attempts."""
    wait_for(lambda: ledger.row(db, id_).settled_at)
    return ledger.row(db, id_), ledger.attempts_of(db, id_)


def test_a_webhook_is_delivered_signed_and_settled(db, sink, start):
    start(webhook_secret=(SECRET,))
    id_ = webhook(db, sink, "/status/200", payload=json.dumps({"hello": "wörld"}))
    row, attempts = settled(db, id_)
    (request,) = sink.requests
    assert Webhook(SECRET).verify(request.body, request.headers) == {"hello": "wörld"}
    assert request.headers["webhook-id"] == str(id_)
    assert request.headers["content-type"] == "application/json"
    assert row.status == "sent"
    assert [(a.outcome, a.code, a.excerpt) for a in attempts] == [("sent", "200", "ok")]


@pytest.mark.parametrize("off_s", [-3600, 3600, 30 * 86400])
def test_the_clock_of_a_workers_machine_spoils_no_signature(db, sink, start, monkeypatch, off_s):
    monkeypatch.setattr("workers.runner.Clock", partial(Clock, own=lambda: time.time() + off_s))
    worker = start(webhook_secret=(SECRET,))
    settled(db, webhook(db, sink, "/status/200", payload='{"n": 1}'))
    (request,) = sink.requests
    assert Webhook(SECRET).verify(request.body, request.headers) == {"n": 1}
    assert worker._clock.skew_s() == pytest.approx(off_s, abs=60)


def test_after_a_jump_of_the_clock_the_ledgers_is_read_before_the_next_claim(
    db, sink, start, monkeypatch
):
    off_s = [0.0]
    own = partial(Clock, own=lambda: time.time() + off_s[0])
    monkeypatch.setattr("workers.runner.Clock", own)
    worker = start(webhook_secret=(SECRET,))
    wait_for(lambda: worker._clock.skew_s() is not None)
    off_s[0] = 3600.0
    settled(db, webhook(db, sink, "/status/200"))
    wait_for(lambda: not worker._clock.has_moved())


def test_ids_are_kept_when_the_ledger_is_away_after_a_jump_of_the_clock(build, monkeypatch):
    claimer = build()._claimer
    monkeypatch.setattr(claimer._clock, "has_moved", lambda: True)
    monkeypatch.setattr(claimer._store, "ledger", away)
    with pytest.raises(DatabaseAway):
        claimer._claim(["an id"], 1)
    assert claimer._kept == ["an id"]


def away():
    raise DatabaseAway("test")


def test_a_log_notification_is_a_line_without_its_payload(db, start, capfd):
    start()
    id_ = ledger.enqueue(db, recipient="someone@example.org", payload='{"secret": 1}')[0]
    settled(db, id_)
    (line,) = capfd.readouterr().out.splitlines()
    assert json.loads(line) == {"delivered": str(id_), "attempt": 1, "recipient": "s…@example.org"}


def test_what_failed_is_tried_again_under_the_next_attempt(db, sink, start):
    start()
    row, attempts = settled(db, webhook(db, sink, "/once/503"))
    assert row.status == "sent"
    assert [(a.attempt, a.outcome, a.code) for a in attempts] == [
        (1, "temporary", "503"),
        (2, "sent", "200"),
    ]
    assert len({r.headers["webhook-id"] for r in sink.requests}) == 1


def test_attempts_end_with_max_retries(db, sink, start, registry):
    start(max_retries=2)
    row, attempts = settled(db, webhook(db, sink, "/status/500"))
    assert (row.status, row.last_error_code) == ("failed", "500")
    assert len(attempts) == len(sink.requests) == 3
    wait_for(
        lambda: registry.get_sample_value("worker_jobs_failed_total", {"channel": "webhook"}) == 1
    )
    assert registry.get_sample_value("worker_jobs_retried_total", {"channel": "webhook"}) == 2


def test_retry_after_delays_the_next_attempt(db, sink, start):
    start()
    _, attempts = settled(db, webhook(db, sink, "/once/429/Retry-After=1"))
    first, second = attempts
    assert first.outcome == "throttled"
    assert (second.started_at - first.started_at).total_seconds() >= 1


@pytest.mark.parametrize("status", [301, 404, 410])
def test_a_permanent_answer_is_final(db, sink, start, status):
    start()
    row, attempts = settled(db, webhook(db, sink, f"/status/{status}"))
    assert (row.status, row.last_error_code) == ("failed", str(status))
    assert len(attempts) == len(sink.requests) == 1


def test_what_has_expired_is_not_sent(db, sink, start):
    id_ = webhook(db, sink, "/status/200")
    ledger.change(db, id_, expires_at=ledger.ago(db, "1 second"))
    start()
    row, attempts = settled(db, id_)
    assert row.status == "expired"
    assert not attempts
    assert not sink.requests


def test_a_refused_connection_counts_when_its_patience_is_over(db, start):
    start(max_retries=0, breaker_patience_mins=0.0)
    id_ = ledger.enqueue(db, channel="webhook", recipient="http://127.0.0.1:9/", payload="{}")[0]
    _, (attempt,) = settled(db, id_)
    assert (attempt.outcome, attempt.code) == ("unreachable", "connect_failed")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/huge", [("sent", "200")]),
        ("/trickle", [("sent", "200")]),
        ("/drip", [("sent", "200")]),
        ("/silent", [("unknown", "timeout")]),
        ("/garbage", [("unknown", "not_http")]),
        ("/reset", [("unknown", "reset"), ("unknown", "no_answer")]),
        ("/binary", [("permanent", "400")]),
    ],
)
def test_a_hostile_answer_costs_one_attempt_within_its_deadline(db, sink, start, path, expected):
    start(max_retries=0, send_deadline_s=2.0)
    _, (attempt,) = settled(db, webhook(db, sink, path))
    assert (attempt.outcome, attempt.code) in expected
    assert len(attempt.excerpt or "") <= 500
    assert (attempt.excerpt or "").isprintable()


def test_a_late_answer_is_not_taken_for_the_next_ones(db, sink, start):
    start(max_retries=0, send_deadline_s=2.0, num_threads=1)
    first = webhook(db, sink, "/held")
    assert settled(db, first)[1][0].outcome == "unknown"
    sink.hold.set()
    row, attempts = settled(db, webhook(db, sink, "/status/404"))
    assert (row.status, attempts[0].code) == ("failed", "404")


def test_a_reused_connection_that_dies_is_replaced_once_within_the_attempt(db, sink, start):
    start(max_retries=0, num_threads=1)
    for _ in range(3):
        settled(db, webhook(db, sink, "/status/200"))
    id_ = webhook(db, sink, "/reset")
    _, attempts = settled(db, id_)
    assert [a.outcome for a in attempts] == ["unknown"]
    assert [r.path for r in sink.requests].count("/reset") == 2


def test_a_slow_destination_does_not_hold_up_the_others(db, sink, start):
    other = sink.url.replace("127.0.0.1", "localhost")
    ledger.enqueue(db, 100, channel="webhook", recipient=other + "/held", payload="{}", priority=0)
    start(num_threads=1, sends_per_thread=16)
    row, _ = settled(db, webhook(db, sink, "/status/200", priority=3))
    assert row.status == "sent"
    sink.hold.set()


def test_an_odd_row_does_not_hold_up_the_others(db, sink, start):
    odd = ledger.put(db, "queued", channel="webhook", recipient="http://[::/\\", payload="{}")
    strange = ledger.put(db, "queued", channel="pigeon", recipient="x", payload="{}")
    start(max_retries=0)
    assert settled(db, odd)[0].last_error_code == "bad_url"
    assert settled(db, strange)[0].last_error_code == "unknown_channel"
    assert settled(db, webhook(db, sink, "/status/200"))[0].status == "sent"


def test_a_thousand_go_through_a_few_slots(db, sink, start):
    ids = ledger.enqueue(
        db, 1000, channel="webhook", recipient=sink.url + "/status/200", payload="{}"
    )
    start(num_threads=2, sends_per_thread=8)
    wait_for(lambda: len(sink.requests) == 1000)
    wait_for(
        lambda: (
            db.execute("select count(*) as n from notify.notifications where status = 'sent'")
            .fetchone()
            .n
            == 1000
        )
    )
    assert {r.headers["webhook-id"] for r in sink.requests} == {str(i) for i in ids}


@pytest.mark.needs("descriptors")
def test_more_transfers_run_at_once_than_select_could_watch(db, sink, start):
    count = 1100
    start(num_threads=1, sends_per_thread=2400, send_deadline_s=60.0, lease_s=90.0)
    for sent in range(100, count + 1, 100):  # all at once could overflow the receiver's queue
        ledger.enqueue(db, 100, channel="webhook", recipient=sink.url + "/held", payload="{}")
        wait_for(lambda sent=sent: len(sink.requests) == sent)
    sink.hold.set()
    wait_for(
        lambda: (
            db.execute("select count(*) as n from notify.notifications where status = 'sent'")
            .fetchone()
            .n
            == count
        )
    )
