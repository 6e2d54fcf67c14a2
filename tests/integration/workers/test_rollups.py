"""What workers count by destination is what the table of attempts has, and holds nothing up."""

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from service.metrics import WorkerMetrics
from tests import ledger
from tests.integration.workers.webhooks import counts, webhooks
from tests.waiting import wait_for
from workers import heart
from workers.runner import Worker

COUNTED = """
select channel, destination, sum(sends)::int as sends, sum(failures)::int as failures,
  (select sum(n) from notify.destination_minutes o, unnest(o.took) n
    where (o.channel, o.destination) = (m.channel, m.destination))::int as took,
  (array_agg(last_code order by last_failed_at desc) filter (where failures > 0))[1] as last_code
from notify.destination_minutes m group by 1, 2 order by 1, 2
"""
ATTEMPTED = """
select n.channel, coalesce(notify.destination_of(n.channel, n.recipient), '') as destination,
  count(*)::int as sends, count(*) filter (where a.outcome <> 'sent')::int as failures,
  count(*)::int as took, (array_agg(a.code order by a.started_at desc)
    filter (where a.outcome <> 'sent'))[1] as last_code
from notify.attempts a join notify.notifications n on n.id = a.notification_id
where a.outcome <> 'expired' and not n.is_test
  and n.recipient not like '%simulator.notify%' group by 1, 2 order by 1, 2
"""


@pytest.fixture
def quick(monkeypatch):
    """Let minutes be short, and write each at once."""
    monkeypatch.setattr(heart, "BEAT_S", 0.1)
    monkeypatch.setattr(heart, "LOOK_S", 0.02)
    monkeypatch.setattr(heart, "MINUTE_S", 1)
    monkeypatch.setattr(heart, "SPREAD_S", 0.0)


def counted(db):
    return [tuple(row) for row in db.execute(COUNTED)]


def attempted(db):
    return [tuple(row) for row in db.execute(ATTEMPTED)]


def ends(db, ids, status):
    wait_for(lambda: counts(db, ids) == {status: len(ids)})


def test_the_counts_are_those_of_the_attempts(db, start, sink):
    worker = start()
    ends(db, webhooks(db, 7, sink.url + "/now"), "sent")
    ends(db, ledger.enqueue(db, 3), "sent")
    sink.now = 503
    ends(db, webhooks(db, 2, sink.url + "/now", max_attempts=3), "failed")
    ends(db, webhooks(db, 2, sink.url + "/now", is_test=True), "sent")
    ends(db, webhooks(db, 1, "https://simulator.notify/perm-fail"), "failed")
    worker.stop()
    wait_for(lambda: counted(db) == attempted(db))  # the last beat may be under way
    assert len(counted(db)) == 2


def test_a_minute_that_is_over_is_written_while_it_runs(db, start, sink, quick):
    start()
    ends(db, webhooks(db, 5, sink.url + "/now"), "sent")
    wait_for(lambda: counted(db) == attempted(db))


def test_workers_add_to_each_others_counts(db, start, sink):
    first = start()
    second = Worker(first._settings, WorkerMetrics(CollectorRegistry()))
    second.start()
    ends(db, webhooks(db, 50, sink.url + "/now"), "sent")
    for worker in (first, second):
        worker.stop()
    wait_for(lambda: counted(db) == attempted(db))  # the last beat may be under way
    assert len(counted(db)) == 1


def test_a_ledger_of_before_holds_up_no_notification_and_gets_the_counts_later(
    db, start, sink, quick
):
    db.execute("alter function notify.add_minutes rename to later")
    worker = start()
    ends(db, webhooks(db, 5, sink.url + "/now"), "sent")
    wait_for(lambda: worker._heart._minutes)
    before = beat_at(db)
    wait_for(lambda: beat_at(db) > before)
    assert counted(db) == []
    db.execute("alter function notify.later rename to add_minutes")
    wait_for(lambda: counted(db) == attempted(db))


def test_a_lock_on_the_table_holds_up_no_notification_and_no_stop(db, dsn, start, sink, quick):
    worker = start()
    with psycopg.connect(dsn) as holder:
        holder.execute("lock table notify.destination_minutes in access exclusive mode")
        ends(db, webhooks(db, 5, sink.url + "/now"), "sent")
        wait_for(lambda: worker._heart._minutes)
        ends(db, webhooks(db, 5, sink.url + "/now"), "sent")
    wait_for(lambda: counted(db) == attempted(db))


def test_while_nothing_can_be_written_only_the_last_minutes_are_kept(build):
    worker = build()
    for minute in range(heart.UNWRITTEN_MAX + 3):
        worker._heart._minutes.append((minute, []))
    assert [minute for minute, _ in worker._heart._minutes] == [3, 4, 5, 6, 7]


def test_a_clock_that_jumps_loses_no_count(db, start, sink, quick, monkeypatch):
    worker = start()
    ends(db, webhooks(db, 3, sink.url + "/now"), "sent")
    for jump_s in (86_400, -86_400, 7):
        now = worker._clock.now
        monkeypatch.setattr(worker._clock, "now", lambda now=now, by=jump_s: now() + by)
        ends(db, webhooks(db, 3, sink.url + "/now"), "sent")
    worker.stop()
    wait_for(lambda: counted(db) == attempted(db))  # the last beat may be under way


def beat_at(db):
    row = db.execute("select max(beat_at) as at from notify.workers").fetchone()
    return row.at
