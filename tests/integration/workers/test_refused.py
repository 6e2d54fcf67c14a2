"""A worker beside a row that PostgreSQL does not let it move: the others go on, and it is told."""

import pytest

from tests import ledger
from tests.sql.faults import ODD, heal, trigger
from tests.waiting import wait_for
from workers.claim import Unstarted


def refused(registry, call):
    return registry.get_sample_value("worker_rows_refused_total", {"call": call})


SERVERS = ["raise deadlock_detected;", "raise disk_full;", "raise read_only_sql_transaction;"]


@pytest.mark.parametrize(
    "act", ["raise exception 'no';", "return null;", "return old;", "assert false;", *SERVERS]
)
def test_a_row_that_cannot_be_claimed_costs_itself_only(db, start, registry, act):
    [odd] = ledger.enqueue(db, reference=ODD)
    db.execute(trigger(act))
    start()
    wait_for(lambda: refused(registry, "claim") == 1)
    ids = ledger.enqueue(db, 50)
    wait_for(lambda: {ledger.status(db, id) for id in ids} == {"sent"})
    assert ledger.status(db, odd) == "queued"
    assert refused(registry, "claim") == 1


@pytest.mark.parametrize("act", ["raise exception 'no';", "return null;", "return old;"])
def test_a_row_that_cannot_be_settled_gives_its_slot_back(db, start, registry, act):
    ids = ledger.enqueue(db, 20)
    ledger.change(db, ids[7], reference=ODD)
    db.execute(trigger(act, when="and new.status <> 'sending'"))
    start()
    wait_for(lambda: sum(ledger.status(db, id) == "sent" for id in ids) == len(ids) - 1)
    wait_for(lambda: refused(registry, "settle") == 1)
    wait_for(lambda: registry.get_sample_value("worker_jobs_in_hand") == 0)
    later = ledger.enqueue(db, 5)
    wait_for(lambda: {ledger.status(db, id) for id in later} == {"sent"})


def test_what_arrived_is_not_sent_again_though_it_cannot_be_settled(db, sink, start, registry):
    [odd] = ledger.enqueue(db, channel="webhook", recipient=f"{sink.url}/status/200", reference=ODD)
    db.execute(trigger("raise exception 'not this one';", when="and new.status <> 'sending'"))
    start()
    wait_for(lambda: refused(registry, "settle") == 1)
    for _ in range(3):  # leases that pass
        ledger.change(db, odd, lease_until=ledger.ago(db, "1 second"))
        assert [r.status for r in ledger.reap(db)] == ["refused"]
    heal(db)
    ledger.change(db, odd, lease_until=ledger.ago(db, "1 second"))
    assert [r.status for r in ledger.reap(db)] == ["sent"]
    assert len(sink.requests) == 1


@pytest.mark.parametrize("act", SERVERS)
def test_a_row_that_seems_to_meet_the_servers_own_trouble_is_settled_when_that_ends(db, start, act):
    """An outcome is not given up for what may pass."""
    ids = ledger.enqueue(db, 20)
    ledger.change(db, ids[7], reference=ODD)
    db.execute(trigger(act, when="and new.status <> 'sending'"))
    start()
    wait_for(lambda: sum(ledger.status(db, id) == "sent" for id in ids) == len(ids) - 1)
    later = ledger.enqueue(db, 5)
    wait_for(lambda: {ledger.status(db, id) for id in later} == {"sent"})
    heal(db)
    wait_for(lambda: ledger.status(db, ids[7]) == "sent")
    assert ledger.row(db, ids[7]).attempt == 1


def test_a_row_that_cannot_be_released_does_not_end_settling(db, build, registry):
    worker = build()
    ids = ledger.enqueue(db, 5)
    ledger.change(db, ids[2], reference=ODD)
    claims, _ = worker._claimer._store.claim([str(id) for id in ids], 10)
    worker._settler._slots.take([claim.key for claim in claims])
    db.execute(trigger("raise exception 'no';"))
    worker._settler.inbox.put([Unstarted(claim=claim) for claim in claims])
    worker._settler.turn()
    assert {ledger.status(db, id) for id in ids if id != ids[2]} == {"queued"}
    assert refused(registry, "release") == 1
    assert not worker._settler._slots.in_hand
    assert not worker._settler._unstarted
    worker._settler.close()
    worker._claimer._store.close()


def test_an_infinite_end_is_no_end(db, start):
    ledger.unbind(db)
    ids = ledger.enqueue(db, 3)
    ledger.change(db, ids[1], expires_at="infinity")
    start()
    statuses = "select distinct status from notify.notifications"
    wait_for(lambda: [r.status for r in db.execute(statuses)] == ["sent"])


def test_a_claim_tells_how_long_its_patience_lasts(db, build):
    [id] = ledger.enqueue(db)
    worker = build(breaker_patience_mins=1.0)
    ([claim], _) = worker._claimer._store.claim([str(id)], 1)
    worker._claimer._store.close()
    assert 59 < claim.patience_ends - claim.lease_ends + worker._settings.lease_s <= 60
