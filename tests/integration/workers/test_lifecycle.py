import math
import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
import redis
from loguru import logger

from service.embedded.servers import EmbeddedServers
from service.errors import DatabaseAway
from service.model.words import Outcome
from tests import ledger
from tests.scratch import scratch
from tests.waiting import wait_for
from workers.claim import Ended, Verdict
from workers.store import Store


def held(db, sink, n=1, **columns):
    return ledger.enqueue(
        db, n, channel="webhook", recipient=sink.url + "/held", payload="{}", **columns
    )


def statuses(db):
    rows = db.execute("select status, count(*) as n from notify.notifications group by status")
    return {row.status: row.n for row in rows}


def offer(client, keys, ids, lane=2):
    client.zadd(keys.lanes[lane], {id_.bytes: 0.0 for id_ in ids})


def test_a_stale_worker_cannot_settle(db, sink, start, registry):
    (id_,) = held(db, sink)
    start(send_deadline_s=20.0)
    wait_for(lambda: sink.requests)
    ledger.take_back(db, id_)
    sink.hold.set()
    wait_for(lambda: registry.get_sample_value("worker_stale_settles_total") == 1)
    assert ledger.status(db, id_) == "queued"
    assert [a.outcome for a in ledger.attempts_of(db, id_)] == ["lease_expired"]


def test_a_claim_knows_for_how_long_its_machine_had_slept(db, sink, build, monkeypatch):
    held(db, sink)
    monkeypatch.setattr("workers.store.since_boot", lambda: time.monotonic() + 3600.0)
    store = build()._claimer._store
    ([claim], _) = store.claim(None, 1)
    store.close()
    assert claim.slept_s >= 3600.0
    assert claim.lease_ends <= time.monotonic() + 60.0


def test_a_workers_time_goes_on_while_its_machine_sleeps(build, monkeypatch):
    monkeypatch.setattr("workers.runner.since_boot", lambda: 7.0)
    assert build()._clock.monotonic() == 7.0


def test_a_schema_that_is_not_there_yet_is_an_outage_and_no_defect(db, sink, start, registry):
    told: list[str] = []
    listening = logger.add(told.append, format="{message} {extra}", level="WARNING")
    db.execute("alter schema notify rename to notify_later")
    start()
    wait_for(lambda: any("run notify migrate" in line for line in told))
    logger.remove(listening)
    db.execute("alter schema notify_later rename to notify")
    held(db, sink)
    sink.hold.set()
    wait_for(lambda: statuses(db) == {"sent": 1})
    assert registry.get_sample_value("worker_loop_errors_total", {"thread": "claimer"}) == 0


def test_a_dead_connection_of_one_thread_is_not_found_out_again_by_the_other(db, build):
    worker = build()
    stores = worker._claimer._store, worker._settler._store
    for store in stores:
        store.held(0)
    claimers, settlers = (store._session.connection for store in stores)
    db.execute("select pg_terminate_backend(%s)", [claimers.info.backend_pid])
    with suppress(DatabaseAway):  # or it was found out before it was used
        stores[0].held(0)
    assert stores[1].held(0) == []
    assert settlers.closed
    for thread in worker._threads:
        thread.close()


def test_claims_whose_answer_was_lost_go_back_at_once(db, start, registry, monkeypatch):
    claim, calls = Store.claim, []

    def losing_the_first_answer(store, *args):
        answer = claim(store, *args)
        if answer[0]:
            calls.append(answer)
            if len(calls) == 1:
                raise DatabaseAway("gone")
        return answer

    monkeypatch.setattr(Store, "claim", losing_the_first_answer)
    ids = ledger.enqueue(db, 3)
    start()
    wait_for(lambda: statuses(db) == {"sent": 3})
    assert {ledger.row(db, id_).attempt for id_ in ids} == {2}
    assert registry.get_sample_value("worker_jobs_released_total") == 3


def test_a_claim_that_commits_after_its_answer_was_lost_goes_back_too(db, dsn, start, monkeypatch):
    claim, held, asked = Store.claim, Store.held, []

    def asking(store, known):
        asked.append(held(store, known))
        return asked[-1]

    with psycopg.connect(dsn) as late:

        def losing_the_first_answer(store, *args):
            if late.info.transaction_status or asked:
                return claim(store, *args)
            late.execute("select notify.claim(null, 10, %s, '30 s', 4, '1 h')", [store.worker])
            raise DatabaseAway("gone")

        monkeypatch.setattr(Store, "claim", losing_the_first_answer)
        monkeypatch.setattr(Store, "held", asking)
        ledger.enqueue(db, 3)
        start()
        wait_for(lambda: asked)
        assert asked == [[]]
        late.commit()
        wait_for(lambda: statuses(db) == {"sent": 3})


def test_nothing_goes_back_that_is_still_being_sent(db, sink, start, registry):
    held(db, sink, 2)
    worker = start(send_deadline_s=20.0)
    wait_for(lambda: len(sink.requests) == 2)
    worker._claimer._doubt_ends = math.inf
    wait_for(lambda: worker._claimer._ask_at > 0)
    sink.hold.set()
    wait_for(lambda: statuses(db) == {"sent": 2})
    assert registry.get_sample_value("worker_jobs_released_total") == 0


def test_a_locked_row_is_settled_when_it_is_let_go(db, dsn, sink, start):
    (id_,) = held(db, sink)
    start(send_deadline_s=20.0)
    wait_for(lambda: sink.requests)
    with psycopg.connect(dsn) as other:
        other.execute("select 1 from notify.notifications where id = %s for update", [id_])
        sink.hold.set()
        second = ledger.enqueue(db)[0]
        wait_for(lambda: ledger.status(db, second) == "sent")
        assert ledger.status(db, id_) == "sending"
    wait_for(lambda: ledger.status(db, id_) == "sent")


def test_an_outcome_that_cannot_be_stored_does_not_hold_up_the_others(db, build):
    ledger.enqueue(db, 2)
    worker = build()
    worker._claimer.turn()
    odd, good = [claim for sender in worker._senders for claim in sender._inbox.emptied()]
    worker._settler.inbox.put(
        [
            Ended(
                claim=claim,
                started_at=time.monotonic(),
                took_ms=0,
                verdict=Verdict(outcome=Outcome.SENT, excerpt=excerpt),
            )
            for claim, excerpt in ((odd, "\x00"), (good, "fine"))
        ]
    )
    worker._settler.turn()
    assert ledger.status(db, good.id) == "sent"
    assert ledger.status(db, odd.id) == "sending"
    worker._settler._store.close()
    worker._claimer.close()
    for sender in worker._senders:
        sender._transfers.close()


def test_stopping_finishes_what_is_being_sent(db, sink, start):
    (id_,) = held(db, sink)
    worker = start(send_deadline_s=20.0)
    wait_for(lambda: sink.requests)
    sink.hold.set()
    worker.stop()
    assert not worker.alive
    assert ledger.status(db, id_) == "sent"


def test_stopping_settles_what_outlasts_the_grace_as_unknown(db, sink, start):
    (id_,) = held(db, sink)
    worker = start(send_deadline_s=20.0, shutdown_grace_s=0.2)
    wait_for(lambda: sink.requests)
    worker.stop()
    (attempt,) = ledger.attempts_of(db, id_)
    assert (attempt.outcome, attempt.code) == ("unknown", "aborted")
    assert ledger.status(db, id_) == "queued"


def test_stopping_gives_back_what_it_had_not_started(db, build, sink):
    (id_,) = held(db, sink)
    worker = build()
    worker._claimer.turn()  # claimed, and the senders do not run yet
    assert ledger.status(db, id_) == "sending"
    for thread in worker._threads:
        if thread is not worker._claimer:
            thread.stop()
    worker._claimer.stop()
    for thread in worker._threads:
        thread.start()
    worker.stop()
    row = ledger.row(db, id_)
    assert (row.status, row.attempt, row.max_attempts) == ("queued", 1, 5)
    assert not sink.requests


def test_nothing_is_sent_under_a_lease_shorter_than_the_deadline(db, build, sink):
    (id_,) = held(db, sink)
    worker = build(lease_s=3.1, send_deadline_s=3.0)
    worker._claimer.turn()
    wait_for(
        lambda: (
            db.execute(
                "select lease_until < clock_timestamp() + interval '3 seconds' as late"
                " from notify.notifications where id = %s",
                [id_],
            )
            .fetchone()
            .late
        )
    )
    worker._claimer.stop()
    for thread in worker._threads:
        thread.start()
    wait_for(lambda: ledger.status(db, id_) == "queued")
    assert not sink.requests
    worker.stop()


def test_ids_come_from_the_ready_set_at_once(
    db, start, redis_url, redis_client, *, keys, monkeypatch
):
    monkeypatch.setattr("workers.hints.IDLE_S", 3600.0)  # nobody looks for what is due
    start(redis_url=redis_url)
    ids = ledger.enqueue(db, 3)
    offer(redis_client, keys, ids)
    wait_for(lambda: statuses(db) == {"sent": 3})


def test_bulk_does_not_starve(db, start, redis_url, redis_client, keys):
    urgent = ledger.enqueue(db, 2000, priority=0)
    bulk = ledger.enqueue(db, 1, priority=3)
    offer(redis_client, keys, urgent, lane=0)
    offer(redis_client, keys, bulk, lane=3)
    start(redis_url=redis_url, num_threads=1, sends_per_thread=8)
    wait_for(lambda: statuses(db) == {"sent": 2001})
    settled = "select count(*) as n from notify.notifications where settled_at > %s"
    assert db.execute(settled, [ledger.row(db, bulk[0]).settled_at]).fetchone().n > 1000


def test_a_silent_ready_set_does_not_stop_delivery(db, start, redis_url):
    start(redis_url=redis_url)
    ledger.enqueue(db, 1000)
    wait_for(lambda: statuses(db) == {"sent": 1000})


def test_ids_that_are_gone_do_no_harm(db, start, redis_url, redis_client, keys):
    done = ledger.put(db, "sent")
    start(redis_url=redis_url)
    ids = ledger.enqueue(db, 1)
    offer(redis_client, keys, [done, *ids])
    wait_for(lambda: statuses(db) == {"sent": 2})
    assert ledger.row(db, done).attempt == 1


@pytest.fixture
def state():
    """Give a directory that the servers' account can reach."""
    with scratch() as directory:
        yield Path(directory)


def test_without_redis_delivery_goes_on_and_comes_back_to_it(db, start, keys, state):
    servers = EmbeddedServers(state, postgres=False)
    url = servers.start().redis_url
    worker = start(redis_url=url)
    with redis.Redis.from_url(url) as client:
        offer(client, keys, ledger.enqueue(db))
        wait_for(lambda: statuses(db) == {"sent": 1})
        servers.stop()
        ledger.enqueue(db, 10)
        wait_for(lambda: statuses(db) == {"sent": 11})
        assert worker._claimer._hints._outage.lasts
    with EmbeddedServers(state, postgres=False) as urls:
        assert urls.redis_url == url
        wait_for(lambda: not worker._claimer._hints._outage.lasts)
        with redis.Redis.from_url(url) as client:
            offer(client, keys, ledger.enqueue(db))
            wait_for(lambda: not client.zcard(keys.lanes[2]))
        worker.stop()


def test_without_the_database_outcomes_are_kept_until_it_is_back(db, dsn, sink, start):
    (id_,) = held(db, sink)
    worker = start(send_deadline_s=20.0)
    wait_for(lambda: sink.requests)
    name = db.info.dbname
    with psycopg.connect(dsn, dbname="postgres", autocommit=True) as admin:
        admin.execute(f"alter database {name} allow_connections false")
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = %s and application_name = 'notify-work'",
            [name],
        )
        sink.hold.set()
        wait_for(lambda: worker._settler._store._session._outage.lasts and worker._settler._ended)
        admin.execute(f"alter database {name} allow_connections true")
    wait_for(lambda: ledger.status(db, id_) == "sent")
    assert len(sink.requests) == 1
