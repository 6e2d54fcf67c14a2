"""Every transition that a worker makes has a line in the log, with the id and the attempt."""

import pytest
from loguru import logger

from tests import ledger
from tests.waiting import wait_for


@pytest.fixture
def story(transitions):
    """Find the events of one id, by attempt: they may be logged in another order."""

    def story(id):
        events = [
            (event, row["attempt"])
            for event, row in transitions
            if row["notification_id"] == str(id)
        ]
        return sorted(events, key=lambda event: (event[1], event[0] != "claimed"))

    return story


def webhook(db, sink, path, **columns):
    return ledger.enqueue(
        db, channel="webhook", recipient=sink.url + path, payload="{}", **columns
    )[0]


def test_a_retry_that_succeeds(db, sink, start, story, transitions):
    start()
    id = webhook(db, sink, "/once/503")
    wait_for(lambda: len(story(id)) == 4)
    assert story(id) == [("claimed", 1), ("retry", 1), ("claimed", 2), ("sent", 2)]
    rows = dict(reversed(transitions))
    claimed, retry, sent = rows["claimed"], rows["retry"], rows["sent"]
    assert claimed["worker"]
    assert (retry["outcome"], retry["code"], sent["code"]) == ("temporary", "503", "200")
    assert retry["due_in_s"] > 0 and sent["age_s"] > 0 and sent["took_ms"] >= 0
    assert retry["recipient"] == sink.url + "/…"


def test_one_that_the_receiver_throttles_is_held_back_and_no_attempt_counts(
    db, sink, start, story, transitions
):
    start(max_retries=0)
    id = webhook(db, sink, "/once/429")
    wait_for(lambda: len(story(id)) == 4)
    assert story(id) == [("claimed", 1), ("held_back", 1), ("claimed", 2), ("sent", 2)]
    held_back = dict(reversed(transitions))["held_back"]
    assert (held_back["outcome"], held_back["code"]) == ("throttled", "429")
    assert held_back["counted"] is False and held_back["due_in_s"] > 0
    assert held_back["recipient"] == sink.url + "/…"


def test_one_that_cannot_reach_its_receiver_is_held_back(db, start, story, transitions):
    start(max_retries=0)
    id = ledger.enqueue(db, channel="webhook", recipient="http://127.0.0.1:1/", payload="{}")[0]
    wait_for(lambda: ("held_back", 1) in story(id))
    held_back = dict(reversed(transitions))["held_back"]
    assert (held_back["outcome"], held_back["counted"]) == ("unreachable", False)


def test_a_dead_letter(db, sink, start, story, transitions):
    start()
    id = webhook(db, sink, "/status/410")
    wait_for(lambda: len(story(id)) == 2)
    assert story(id) == [("claimed", 1), ("failed", 1)]
    assert dict(transitions)["failed"]["code"] == "410"


def test_one_that_expired_while_it_was_queued(db, start, story):
    id = ledger.put(db, "queued", expires_at=ledger.ago(db, "1 second"))
    start()
    wait_for(lambda: story(id))
    assert story(id) == [("expired", 0)]


def test_one_that_another_worker_has_by_now(db, sink, start, story):
    id = webhook(db, sink, "/held")
    start(send_deadline_s=20.0)
    wait_for(lambda: sink.requests)
    ledger.take_back(db, id)
    sink.hold.set()
    wait_for(lambda: len(story(id)) == 2)
    assert story(id) == [("claimed", 1), ("stale", 1)]


def test_those_that_are_given_back_when_the_worker_stops(db, build, sink, story):
    ids = [webhook(db, sink, "/held") for _ in range(3)]
    worker = build()
    worker._claimer.turn()  # claimed, and the senders do not run yet
    ledger.change(db, ids[2], attempt=2)  # it is another's by now
    for thread in worker._threads:
        thread.stop()
    for thread in worker._threads:
        thread.start()
    worker.stop()
    assert [story(id) for id in ids] == [
        [("claimed", 1), ("released", 1)],
        [("claimed", 1), ("released", 1)],
        [("claimed", 1)],
    ]


def test_those_that_wait_for_a_destination_which_fails(db, sink, start, transitions):
    sink.now = 503
    start(num_threads=1, sends_per_thread=4)
    ids = {str(id) for id in ledger.enqueue(
        db, 60, channel="webhook", recipient=sink.url + "/now", payload="{}"
    )}  # fmt: skip

    def parked():
        return [row for event, row in list(transitions) if event == "parked"]

    wait_for(parked)
    row = parked()[0]
    assert row["notification_id"] in ids
    assert row["delay_s"] > 0
    assert row["reason"] in ("breaker", "share")


def test_no_line_costs_anything_when_only_warnings_are_wanted(db, sink, start, monkeypatch):
    made = []
    for row in ("reports.sent_row", "claimer.Claimer._log_row"):
        monkeypatch.setattr(f"workers.{row}", lambda *given: made.append(given))
    logger.remove()
    sink_id = logger.add(lambda _: None, level="WARNING")
    worker = start()
    id = webhook(db, sink, "/status/200")
    wait_for(lambda: ledger.status(db, id) == "sent")
    worker.stop()
    logger.remove(sink_id)
    assert made == []
