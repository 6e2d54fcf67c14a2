import json

import pytest

from tests import ledger
from tests.integration.workers.webhooks import counts, webhooks
from tests.waiting import wait_for

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PAYLOAD = json.dumps({"subject": "Hello", "text": "It works."})
MAIL_SETTINGS = {"smtp_url": "smtp://127.0.0.1:1", "mail_from": "us@example.org"}


@pytest.fixture(autouse=True)
def nothing_leaves(monkeypatch):
    """Fail for each look-up of a name and each transfer; slow plays take 0.2 s."""
    monkeypatch.setattr("workers.channels.simulator.SLOW_S", 0.2)
    begun = []
    monkeypatch.setattr("workers.sender.Transfers.start", lambda *args: begun.append(args))
    monkeypatch.setattr("workers.names.Names.ask", lambda *args: begun.append(args))
    yield
    assert begun == []


def settled(db, id_):
    """Wait until it is settled; return its status and what its attempts ended as."""
    wait_for(lambda: ledger.row(db, id_).settled_at)
    attempts = [(a.outcome, a.code, a.excerpt) for a in ledger.attempts_of(db, id_)]
    return ledger.row(db, id_).status, attempts


@pytest.mark.parametrize(
    ("word", "status", "attempts"),
    [
        ("ok", "sent", [("sent", "200", "250")]),
        ("slow", "sent", [("sent", "200", "250")]),
        ("temp-fail", "failed", [("temporary", "503", "451")] * 2),
        ("perm-fail", "failed", [("permanent", "410", "550")]),
    ],
)
def test_each_outcome_is_played_on_each_channel(db, start, word, status, attempts):
    url, to = f"https://simulator.notify/{word}", f"{word}@simulator.notify"
    start(webhook_secret=(SECRET,), max_retries=1, **MAIL_SETTINGS)
    (posted,) = webhooks(db, 1, url)
    (mailed,) = ledger.enqueue(db, channel="email", recipient=to, payload=PAYLOAD)
    posts = [(outcome, code, "simulated") for outcome, code, _ in attempts]
    mails = [(outcome, code, "simulated") for outcome, _, code in attempts]
    assert settled(db, posted) == (status, posts)
    assert settled(db, mailed) == (status, mails)


def test_what_a_test_key_enqueued_is_played_whoever_it_is_for(db, start, capfd):
    start(**MAIL_SETTINGS)
    (posted,) = webhooks(db, 1, "https://example.org/hook", is_test=True)
    (mailed,) = ledger.enqueue(
        db, channel="email", recipient="you@example.org", payload=PAYLOAD, is_test=True
    )
    (line,) = ledger.enqueue(db, channel="log", recipient="me", is_test=True)
    (failed,) = webhooks(db, 1, "https://simulator.notify/perm-fail", is_test=True)
    assert settled(db, posted) == ("sent", [("sent", "200", "simulated")])
    assert settled(db, mailed) == ("sent", [("sent", "250", "simulated")])
    assert settled(db, line) == ("sent", [("sent", None, "simulated")])
    assert settled(db, failed) == ("failed", [("permanent", "410", "simulated")])
    assert capfd.readouterr().out == ""


def test_a_line_that_is_played_is_not_written(db, start, capfd):
    start()
    (id_,) = ledger.enqueue(db, channel="log", recipient="ok@simulator.notify")
    assert settled(db, id_) == ("sent", [("sent", None, "simulated")])
    assert capfd.readouterr().out == ""


def test_a_payload_that_could_not_be_sent_fails_in_the_same_way(db, start):
    start(**MAIL_SETTINGS)
    wrong = json.dumps({"subject": "Hello", "text": "x", "reply_to": "a@xn--a.example"})
    (id_,) = ledger.enqueue(db, channel="email", recipient="ok@simulator.notify", payload=wrong)
    status, [(outcome, code, _)] = settled(db, id_)
    assert (status, outcome, code) == ("failed", "permanent", "invalid_header")


def test_plays_that_fail_open_no_breaker_and_slow_nobody(db, start, value):
    start(max_retries=0)
    ids = webhooks(db, 100, "https://simulator.notify/temp-fail")
    wait_for(lambda: counts(db, ids) == {"failed": 100})
    assert value("worker_breakers_opened_total") == 0
    assert value("worker_jobs_parked_total", reason="breaker") in (None, 0)


def test_slow_plays_hold_slots_and_leave_room_for_others(db, start, monkeypatch):
    monkeypatch.setattr("workers.channels.simulator.SLOW_S", 60.0)
    start(num_threads=1, sends_per_thread=8, send_deadline_s=30.0, lease_s=60.0)
    slow = webhooks(db, 50, "https://simulator.notify/slow")
    wait_for(lambda: counts(db, slow).get("sending"))
    ids = webhooks(db, 20, "https://simulator.notify/ok")
    wait_for(lambda: counts(db, ids) == {"sent": 20})
    assert "sent" not in counts(db, slow)


def test_slow_plays_end_within_the_grace_of_a_stop(db, start, monkeypatch):
    worker = start(num_threads=1)
    (id_,) = webhooks(db, 1, "https://simulator.notify/slow")
    wait_for(lambda: worker._senders[0]._plays)
    worker.stop()
    assert ledger.row(db, id_).status == "sent"


def test_slow_plays_are_released_when_the_grace_is_over(db, start, monkeypatch):
    monkeypatch.setattr("workers.channels.simulator.SLOW_S", 60.0)
    worker = start(num_threads=1, shutdown_grace_s=0.0)
    (id_,) = webhooks(db, 1, "https://simulator.notify/slow")
    wait_for(lambda: worker._senders[0]._plays)
    worker.stop()
    row = ledger.row(db, id_)
    assert (row.status, row.attempt, ledger.attempts_of(db, id_)) == ("queued", 1, [])
