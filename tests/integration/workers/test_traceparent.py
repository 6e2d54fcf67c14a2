"""Of which trace a notification is: sent on with its webhook, and in each of a worker's lines."""

import pytest

from tests import ledger
from tests.sql.faults import ODD, trigger
from tests.unit.test_traceparent import GOOD, TRACE
from tests.waiting import wait_for
from workers.claim import Unstarted

ENDS = {"/status/410": "failed", "/once/429": "held_back"}


def webhook(db, sink, path, **columns):
    columns = {"payload": "{}", "traceparent": GOOD} | columns
    return ledger.enqueue(db, channel="webhook", recipient=sink.url + path, **columns)[0]


def lines(transitions, id):
    """Give what the log says of one notification: events, and the traces they name."""
    rows = [(event, row) for event, row in transitions if row["notification_id"] == str(id)]
    return {event for event, _ in rows}, {row.get("trace_id") for _, row in rows}


def test_each_attempt_sends_it_on_as_it_came(db, sink, start, transitions):
    start()
    id = webhook(db, sink, "/once/503")
    wait_for(lambda: ledger.status(db, id) == "sent" and "sent" in lines(transitions, id)[0])
    assert [request.headers["traceparent"] for request in sink.requests] == [GOOD, GOOD]
    assert lines(transitions, id) == ({"claimed", "retry", "sent"}, {TRACE})


def test_without_one_there_is_no_header_and_no_field(db, sink, start, transitions):
    start()
    id = webhook(db, sink, "/status/200", traceparent=None)
    wait_for(lambda: "sent" in lines(transitions, id)[0])
    assert "traceparent" not in sink.requests[0].headers
    assert all("trace_id" not in row for _, row in transitions)


def test_one_that_got_past_the_rules_is_not_sent(db, sink, start):
    """Who owns the table may write what he likes: it must not end the header and begin another."""
    id = webhook(db, sink, "/status/200", due_at=None, send_at=ledger.ago(db, "-1 hour"))
    forged = f"{GOOD}\r\nx-admin: 1"
    ledger.change(db, id, traceparent=forged, due_at=ledger.ago(db, "1 second"))
    start()
    wait_for(lambda: ledger.status(db, id) == "sent")
    assert not {"traceparent", "x-admin"} & {*sink.requests[0].headers}


@pytest.mark.parametrize("path", ENDS)
def test_other_ends_say_it_too(db, sink, start, transitions, path):
    start(max_retries=0)
    id = webhook(db, sink, path)
    wait_for(lambda: ENDS[path] in lines(transitions, id)[0])
    assert lines(transitions, id)[1] == {TRACE}


def test_what_expired_says_it(db, start, transitions):
    past = ledger.ago(db, "1 second")
    id = ledger.put(db, "queued", expires_at=past, traceparent=GOOD)
    start()
    wait_for(lambda: lines(transitions, id)[0])
    assert lines(transitions, id) == ({"expired"}, {TRACE})


def test_what_is_released_says_it(db, build, transitions):
    worker = build()
    id = ledger.enqueue(db, traceparent=GOOD)[0]
    [claim], _ = worker._claimer._store.claim([str(id)], 1)
    worker._settler.inbox.put([Unstarted(claim=claim)])
    worker._settler.turn()
    worker._settler.close()
    worker._claimer._store.close()
    assert lines(transitions, id) == ({"released"}, {TRACE})


def test_what_postgresql_refuses_to_settle_says_it(db, start, transitions):
    [id] = ledger.enqueue(db, traceparent=GOOD, reference=ODD)
    db.execute(trigger("raise exception 'no';", when="and new.status <> 'sending'"))
    start()
    wait_for(lambda: "refused_by_database" in lines(transitions, id)[0])
    assert lines(transitions, id)[1] == {TRACE}
