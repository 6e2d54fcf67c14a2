"""Receivers that say "not now": all that comes for them arrives, and nobody else notices."""

import json

import pytest

from tests import ledger
from tests.integration.workers.scripted_smtp import ScriptedSmtp
from tests.integration.workers.webhooks import counts, webhooks
from tests.waiting import wait_for


def outcomes(db, ids):
    query = "select distinct outcome from notify.attempts where notification_id = any (%s)"
    return {row.outcome for row in db.execute(query, [ids])}


@pytest.fixture
def smtp():
    server = ScriptedSmtp()
    yield server
    server.close()


@pytest.fixture
def mails(db, start, smtp):
    """Start a worker, and send so many mails."""

    def mails(n, **settings):
        url = f"smtp://{settings.pop('login', '')}127.0.0.1:{smtp.port}"
        start(smtp_url=url, mail_from="us@example.org", num_threads=2, max_retries=0, **settings)
        return ledger.enqueue(
            db,
            n,
            channel="email",
            recipient="a@example.org",
            payload=json.dumps({"subject": "s", "text": "t"}),
        )

    return mails


@pytest.mark.slow  # seconds pass
@pytest.mark.parametrize("asked", ["", "/Retry-After=1"])
def test_all_rows_for_a_receiver_that_takes_20_a_second_arrive(db, start, sink, value, asked):
    ids = webhooks(db, 80, sink.url + "/limited" + asked)
    start(num_threads=2, sends_per_thread=32, max_retries=0)
    wait_for(lambda: counts(db, ids) == {"sent": 80}, 60)
    assert outcomes(db, ids) == {"sent", "throttled"}
    assert value("worker_jobs_parked_total", reason="pace") > 0
    assert value("worker_breakers_opened_total") == 0


def test_parked_rows_hold_no_slot_that_others_need(db, start, sink, value):
    ids = webhooks(db, 200, sink.url + "/status/429", priority=0)
    start(num_threads=1, sends_per_thread=8, max_retries=0)
    wait_for(lambda: value("worker_jobs_parked_total", reason="pace") >= 200)
    other = sink.url.replace("127.0.0.1", "localhost")
    others = webhooks(db, 50, other + "/status/200", priority=3)
    wait_for(lambda: counts(db, others) == {"sent": 50})
    wait_for(lambda: counts(db, ids) == {"queued": 200})  # one that is tried again is claimed first
    assert outcomes(db, ids) == {"throttled"}


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_holds_one_url_and_another_tenants_hook_goes_on(
    db, start, sink, transitions, status
):
    def waits():
        return [row["delay_s"] for _, row in transitions if row.get("reason") == "url"]

    start(num_threads=1)
    url = sink.url + f"/status/{status}/Retry-After=3600"
    [first] = webhooks(db, 1, url)
    wait_for(lambda: ledger.attempts_of(db, first))
    webhooks(db, 20, url)
    wait_for(lambda: len(waits()) == 20)
    others = webhooks(db, 5, sink.url + "/status/200")
    wait_for(lambda: counts(db, others) == {"sent": 5})
    assert len(sink.requests) == 6
    assert 3590 <= min(waits()) <= max(waits()) <= 3600


@pytest.mark.slow  # seconds pass
def test_rows_beyond_their_patience_end_at_a_receiver_that_takes_nothing(db, start, sink):
    start(num_threads=2, max_retries=1, breaker_patience_mins=0.0)
    ids = webhooks(db, 40, sink.url + "/status/429")
    wait_for(lambda: counts(db, ids) == {"failed": 40}, 60)


@pytest.mark.parametrize("code", [450, 451, 452])
@pytest.mark.parametrize("step", ["rcpt", "data", "end"])
def test_mails_that_are_to_come_later_all_arrive(db, mails, smtp, step, code):
    smtp.script[step] = f"{code} 4.7.1 later"
    ids = mails(20)
    wait_for(lambda: outcomes(db, ids) == {"deferred"})
    wait_for(lambda: counts(db, ids) == {"queued": 20})
    wait_for(lambda: smtp.steps[step] >= 20)
    del smtp.script[step]
    now = ledger.ago(db, "0")

    def all_sent():
        db.execute(
            "update notify.notifications set due_at = %s where status = 'queued' and due_at > %s",
            [now, now],
        )
        return counts(db, ids) == {"sent": 20}

    wait_for(all_sent)
    assert len(smtp.mails) == 20


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("greeting", "554 5.7.1 not you"),
        ("greeting", "421 busy"),
        ("mail", "550 5.7.60 not as this sender"),
        ("mail", "421 too many"),
        ("rcpt", "421 too many"),
        ("auth", "503 5.5.1 no"),
        ("auth", "550 5.7.1 no"),
        ("auth", "535 5.7.8 wrong"),
    ],
)
def test_mails_that_the_server_turns_away_wait_without_losing_attempts(db, mails, smtp, step, said):
    login = {}
    if step == "auth":
        smtp.script["ehlo"] = "250-here\r\n250 AUTH PLAIN LOGIN"
        login = {"login": "us:secret@"}
    smtp.script[step] = said
    ids = mails(20, **login)
    wait_for(lambda: smtp.steps[step] >= 5)
    assert counts(db, ids).keys() <= {"queued", "sending"}
    smtp.script.pop(step)
    wait_for(lambda: counts(db, ids) == {"sent": 20}, 30)
    assert len(smtp.mails) == 20
    assert outcomes(db, ids) == {"sent", "throttled" if said.startswith("421") else "unreachable"}
