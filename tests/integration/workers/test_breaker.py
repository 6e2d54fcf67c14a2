"""A destination that is down: its rows wait without losing attempts, and go when it is back."""

import socket

import pytest

from tests import ledger
from tests.integration.workers.webhooks import counts, webhooks
from tests.waiting import wait_for
from workers.breaker import TRIP_AFTER


@pytest.fixture
def closed_port():
    """Give a port that refuses connections, and stays ours."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def burnt(db, ids):
    query = "select count(*) as n from notify.attempts where notification_id = any (%s)"
    return db.execute(query, [ids]).fetchone().n


def test_rows_for_a_destination_that_is_down_wait_without_losing_attempts(
    db, start, closed_port, value, sink
):
    start(num_threads=2, sends_per_thread=8)
    ids = webhooks(db, 200, f"http://127.0.0.1:{closed_port}/x")
    wait_for(lambda: value("worker_breakers", state="open") == 1)
    wait_for(lambda: value("worker_jobs_parked_total", reason="breaker") >= 200)
    wait_for(lambda: counts(db, ids) == {"queued": 200})  # none is asked for at this moment
    in_flight = 16
    assert TRIP_AFTER <= burnt(db, ids) <= TRIP_AFTER + in_flight + 5
    [other] = webhooks(db, 1, sink.url + "/status/200")
    wait_for(lambda: ledger.status(db, other) == "sent")
    assert value("worker_breakers", state="open") + value("worker_breakers", state="half_open") == 1


def test_all_are_sent_by_themselves_soon_after_the_destination_is_back(db, start, sink, value):
    start(num_threads=2, sends_per_thread=8)
    sink.now = 503
    ids = webhooks(db, 300, sink.url + "/now")
    wait_for(lambda: value("worker_jobs_parked_total", reason="breaker") >= 600)
    sink.now = 200
    wait_for(lambda: counts(db, ids) == {"sent": 300})
    assert {value("worker_breakers", state=state) for state in ("open", "half_open")} == {0}
    assert {len(ledger.attempts_of(db, id)) for id in ids} <= {1, 2, 3}


def test_a_url_that_is_down_holds_up_nothing_for_others_of_the_same_host(db, start, sink, value):
    start(num_threads=2, sends_per_thread=8)
    sink.now = 502
    down = webhooks(db, 100, sink.url + "/now")
    wait_for(lambda: value("worker_jobs_parked_total", reason="breaker") >= 100)
    sound = webhooks(db, 20, sink.url + "/status/200")
    wait_for(lambda: counts(db, sound) == {"sent": 20})
    assert counts(db, down).get("sent") is None
    assert all(len(ledger.attempts_of(db, id)) == 1 for id in sound)
    sink.now = 200
    wait_for(lambda: counts(db, down) == {"sent": 100})


def test_what_expires_while_it_waits_becomes_expired(db, start, closed_port, value):
    start(num_threads=1, sends_per_thread=8)
    url = f"http://127.0.0.1:{closed_port}/x"
    webhooks(db, TRIP_AFTER, url)
    wait_for(lambda: value("worker_breakers", state="open") == 1)
    [late] = webhooks(db, 1, url, expires_at=ledger.ago(db, "-1 second"))
    wait_for(lambda: ledger.status(db, late) == "expired")


@pytest.mark.slow  # seconds pass
@pytest.mark.parametrize("status", [404, 429])
def test_answers_to_the_notification_itself_open_nothing(db, start, sink, value, status):
    start(max_retries=0, breaker_patience_mins=0.0)
    ids = webhooks(db, 5 * TRIP_AFTER, sink.url + f"/status/{status}")
    wait_for(lambda: counts(db, ids) == {"failed": len(ids)})
    assert value("worker_breakers_opened_total") == 0


def test_when_its_patience_is_over_notifications_fail_as_if_they_were_alone(db, start, closed_port):
    start(max_retries=1, breaker_patience_mins=0.0)
    ids = webhooks(db, 5 * TRIP_AFTER, f"http://127.0.0.1:{closed_port}/x")
    wait_for(lambda: counts(db, ids) == {"failed": len(ids)})
    assert burnt(db, ids) == 2 * len(ids)
