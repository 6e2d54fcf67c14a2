"""An operator's probe: what a destination keeps back is tried at once, and goes if it arrives."""

import pytest

from tests.explaining import explain
from tests.integration.workers.webhooks import counts, webhooks
from tests.waiting import wait_for
from workers import breaker, heart
from workers.heart_store import HeartStore

HOUR_S = 3600.0


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Look more often for what is kept back, and leave a destination alone for an hour."""
    monkeypatch.setattr(heart, "LOOK_S", 0.02)
    monkeypatch.setattr(breaker, "OPEN_MIN_S", HOUR_S)
    monkeypatch.setattr(breaker, "OPEN_MAX_S", HOUR_S)


def ask(db, url):
    return db.execute("select * from notify.ask_probe('webhook', %s)", [url]).fetchone()


def put_off(db, ids):
    """Count those that do not fall due for long."""
    query = (
        "select count(*) as n from notify.notifications"
        " where id = any (%s) and due_at > clock_timestamp() + interval '10 minutes'"
    )
    return db.execute(query, [ids]).fetchone().n


def parked(db, sink, n):
    """Enqueue some for a receiver that fails, until all are put off, and the ledger knows why."""
    sink.now = 503
    ids = webhooks(db, n, sink.url + "/now")
    wait_for(lambda: put_off(db, ids) == n)
    wait_for(lambda: "destination_parked" in explain(db, ids[0]))
    return ids


def test_all_are_sent_although_the_breaker_would_stay_open_for_long(db, start, sink, value):
    start(num_threads=2, sends_per_thread=8)
    ids = parked(db, sink, 60)
    assert explain(db, ids[0])["destination_parked"].command == f"notify probe {sink.url}"
    sink.now = 200
    told = ask(db, sink.url)
    assert (told.states, told.kept_by, told.brought) == (["breaker"], 1, 60)
    wait_for(lambda: counts(db, ids) == {"sent": 60})
    assert {value("worker_breakers", state=state) for state in ("open", "half_open")} == {0}
    wait_for(lambda: ask(db, sink.url) is None)


def test_a_receiver_that_still_fails_gets_one_request_and_the_rows_keep_their_attempts(
    db, start, sink
):
    start(num_threads=2, sends_per_thread=8)
    ids = parked(db, sink, 60)
    before = len(sink.requests)
    ask(db, sink.url)
    wait_for(lambda: len(sink.requests) > before)
    wait_for(lambda: put_off(db, ids) == 60)
    assert len(sink.requests) == before + 1
    assert counts(db, ids) == {"queued": 60}


def test_a_url_that_asked_for_a_pause_gets_one_request_and_the_others_when_it_takes_that(
    db, start, sink
):
    start(num_threads=1, sends_per_thread=1)
    ids = webhooks(db, 10, sink.url + "/once/429/Retry-After=3600")
    wait_for(lambda: put_off(db, ids) == 10)
    assert len(sink.requests) == 1
    wait_for(lambda: "destination_parked" in explain(db, ids[-1]))
    assert ask(db, sink.url).states == ["url"]
    wait_for(lambda: counts(db, ids) == {"sent": 10})
    assert len(sink.requests) == 11


def test_a_worker_that_keeps_nothing_back_asks_nothing_more(db, start, sink, monkeypatch):
    looks: list[str] = []
    asked = HeartStore.asked_probes
    monkeypatch.setattr(
        HeartStore, "asked_probes", lambda store: looks.append("look") or asked(store)
    )
    start(num_threads=1, sends_per_thread=16)  # of which half are the share of one destination
    ids = webhooks(db, 5, sink.url + "/status/200")
    wait_for(lambda: counts(db, ids) == {"sent": 5})
    wait_for(lambda: db.execute("select from notify.workers").fetchone() is not None)
    assert not looks
    parked(db, sink, 20)
    wait_for(lambda: bool(looks))
