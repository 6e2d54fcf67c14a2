"""One destination that hangs until the deadline leaves the others their slots.

What is left of their rate is measured by `python -m load.bench --only starving`.
"""

import pytest

from tests import ledger
from tests.waiting import wait_for

THREADS, SLOTS = 2, 16
MANY = 200


def webhooks(db, url, **columns):
    return ledger.enqueue(db, MANY, channel="webhook", recipient=url, payload="{}", **columns)


def sent(db, ids):
    query = "select count(*) as n from notify.notifications where status = 'sent' and id = any (%s)"
    return db.execute(query, [ids]).fetchone().n


@pytest.mark.parametrize("urgency", [0, 3])
def test_one_that_hangs_keeps_half_of_the_slots_and_all_others_are_sent(db, sink, start, urgency):
    silent = webhooks(db, sink.url.replace("127.0.0.1", "localhost") + "/held", priority=urgency)
    others = webhooks(db, sink.url + "/status/200")
    start(num_threads=THREADS, sends_per_thread=SLOTS, send_deadline_s=3600.0, lease_s=7200.0)
    wait_for(lambda: sent(db, others) == MANY)
    held = [request for request in sink.requests if request.path == "/held"]
    assert len(held) <= THREADS * SLOTS // 2
    assert not [id for id in silent if ledger.attempts_of(db, id)]  # none of them has ended
    wait_for(lambda: any(request.path == "/held" for request in sink.requests))
    sink.hold.set()
