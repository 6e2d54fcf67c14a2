"""What hangs until the deadline leaves the others their slots: one destination, or many names.

What is left of their rate is measured by `python -m load.bench --only starving`.
"""

import pytest

from tests import ledger
from tests.waiting import wait_for
from workers.habits import PROMPT_S
from workers.shares import Habit
from workers.store import FAIR_EVERY

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


@pytest.mark.parametrize("urgency", [0, 3])
def test_many_names_that_hang_leave_slots_to_who_has_answered(db, sink, start, urgency):
    silent_url = sink.url.replace("127.0.0.1", "h{}.localhost") + "/held"
    [known] = ledger.enqueue(
        db, 1, channel="webhook", recipient=sink.url + "/status/200", payload="{}"
    )
    start(num_threads=1, sends_per_thread=SLOTS, send_deadline_s=3600.0, lease_s=7200.0)
    wait_for(lambda: sent(db, [known]) == 1)
    for number in range(SLOTS * 4):
        url = silent_url.format(number)
        ledger.enqueue(db, 1, channel="webhook", recipient=url, payload="{}", priority=urgency)
    wait_for(lambda: len(held(sink)) >= SLOTS // 2)
    others = webhooks(db, sink.url + "/status/200", priority=0)
    wait_for(lambda: sent(db, others) == MANY)
    assert not sink.hold.event.is_set()
    assert len(held(sink)) <= SLOTS * 3 // 4
    sink.hold.set()


def test_what_a_send_came_to_is_what_is_remembered_of_its_receiver(db, sink, start):
    hanging, answering = sink.url.replace("127.0.0.1", "h.localhost"), sink.url
    worker = start(num_threads=1, send_deadline_s=PROMPT_S + 0.2)
    for url in (hanging + "/held", answering + "/status/404"):
        ledger.enqueue(db, 1, channel="webhook", recipient=url, payload="{}", max_attempts=1)
    habits = worker._senders[0]._destinations._habits
    wait_for(lambda: habits.of(hanging) is Habit.LATE)
    wait_for(lambda: habits.of(answering) is Habit.PROMPT)
    sink.hold.set()


def held(sink):
    return [request for request in sink.requests if request.path == "/held"]


def test_without_redis_bulk_rows_are_claimed_beside_urgent_ones_that_never_end(db, build):
    """Workers ask for any that are due, the urgent first: more of these come than are claimed."""
    store = build(num_threads=1)._claimer._store
    urgent = ledger.enqueue(db, MANY, priority=0)
    [bulk] = ledger.enqueue(db, 1, priority=3)
    store.open()
    claimed = [store.claim(None, 1)[0][0].id for _ in range(FAIR_EVERY)]
    assert claimed == [*map(str, urgent[: FAIR_EVERY - 1]), str(bulk)]
    store.close()
