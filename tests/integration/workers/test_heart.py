"""A worker tells the ledger that it lives, and what only it knows; nothing else waits for that."""

import os
import subprocess
import time

import psycopg
import pytest
from loguru import logger

from service.process.distribution import installed_version
from tests import ledger
from tests.acceptance.conftest import NOTIFY, free_port
from tests.explaining import explain, first, silence
from tests.integration.workers.webhooks import counts, webhooks
from tests.unit.workers.claims import a_claim
from tests.waiting import wait_for
from workers import heart
from workers.claim import Parked, Unstarted


@pytest.fixture
def quick(monkeypatch):
    """Beat and look more often."""
    monkeypatch.setattr(heart, "BEAT_S", 0.1)
    monkeypatch.setattr(heart, "LOOK_S", 0.02)


@pytest.fixture
def log_lines():
    """Collect the log's events with their fields."""
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message} {extra}", level="WARNING")
    yield lines
    logger.remove(sink)


def beats(db):
    return db.execute("select * from notify.workers order by started_at").fetchall()


def kept(db):
    query = "select channel, destination, state, code from notify.destination_state"
    return [tuple(r) for r in db.execute(query)]


def test_a_worker_says_that_it_lives_and_what_it_can(db, start):
    worker = start(num_threads=2, sends_per_thread=8, breaker_patience_mins=5.0)
    wait_for(lambda: beats(db))
    [got] = beats(db)
    assert got.worker == worker._name
    assert (got.slots, got.version, got.environment) == (16, installed_version(), None)
    assert got.channels == ["webhook", "log"]
    assert got.patience.total_seconds() == 300


def test_a_worker_with_a_mail_server_can_send_mails(db, start):
    start(smtp_url="smtp://127.0.0.1:9", mail_from="n@example.org")
    wait_for(lambda: beats(db))
    assert beats(db)[0].channels == ["webhook", "email", "log"]


def test_it_says_so_again_and_again_in_place(db, start, quick):
    start()
    wait_for(lambda: beats(db))
    before = beats(db)[0].beat_at
    ids = ledger.enqueue(db, 3)
    wait_for(lambda: beats(db)[0].settled == 3)
    assert counts(db, ids) == {"sent": 3}
    assert beats(db)[0].beat_at > before
    assert len(beats(db)) == 1


def test_a_destination_that_is_down_is_explained_and_so_is_its_end(db, start, sink, quick):
    start(num_threads=1, sends_per_thread=8)
    sink.now = 503
    ids = webhooks(db, 50, sink.url + "/now")
    wait_for(lambda: (sink.url, "breaker") in {(d, s) for _, d, s, _ in kept(db)})
    assert ("webhook", sink.url, "breaker", "503") in kept(db)
    wait_for(lambda: "destination_parked" in explain(db, ids[0]))
    sink.now = 200
    wait_for(lambda: counts(db, ids) == {"sent": 50})
    assert first(db, ids[0]).code == "sent"
    wait_for(lambda: not kept(db))


def test_who_was_forgotten_says_everything_again(db, start, sink, quick):
    start(num_threads=1, sends_per_thread=8)
    sink.now = 503
    webhooks(db, 50, sink.url + "/now")
    wait_for(lambda: kept(db))
    db.execute("truncate notify.workers, notify.destination_state")
    wait_for(lambda: kept(db))
    wait_for(lambda: beats(db))


def test_a_lock_on_its_table_holds_up_no_notification(db, dsn, start, quick, log_lines):
    worker = start()
    wait_for(lambda: beats(db))
    with psycopg.connect(dsn) as holder:
        holder.execute("lock table notify.workers in access exclusive mode")
        wait_for(lambda: any("heartbeat_missed" in line for line in log_lines))
        ids = ledger.enqueue(db, 3)
        wait_for(lambda: counts(db, ids) == {"sent": 3})
        assert worker.alive
        since = time.monotonic()
        worker.stop()
        assert time.monotonic() - since < worker._settings.shutdown_grace_s
    assert not [line for line in log_lines if line.startswith("away")]


def test_a_schema_without_its_functions_holds_up_no_notification(db, start, quick, log_lines):
    db.execute("alter function notify.beat rename to beat_later")
    start()
    wait_for(lambda: any("heartbeat_missed" in line for line in log_lines))
    ids = ledger.enqueue(db, 3)
    wait_for(lambda: counts(db, ids) == {"sent": 3})
    db.execute("alter function notify.beat_later rename to beat")
    wait_for(lambda: beats(db))


def test_a_worker_that_was_killed_is_said_to_be_dead(db, dsn, sink, tmp_path):
    environ = os.environ | {
        "DATABASE_URL": dsn, "WEBHOOK_ALLOW": "127.0.0.0/8", "METRICS_PORT": str(free_port()),
        "WORKER_PROCESSES": "1",
    }  # fmt: skip
    [id] = webhooks(db, 1, sink.url + "/held")
    with subprocess.Popen([NOTIFY, "worker"], env=environ, cwd=tmp_path) as worker:
        wait_for(lambda: bool(sink.requests and beats(db)))
        assert first(db, id).code == "leased"
        worker.kill()
    silence(db, "31 s", beats(db)[0].worker)
    got = first(db, id)
    assert got.code == "worker_died"
    assert f":{worker.pid}-" in got.sentence


def test_when_a_url_may_be_asked_again_is_written_anew_when_that_is_later(db, start, sink, quick):
    worker = start()
    claim = a_claim(recipient=f"{sink.url}/now")
    until = "select extract(epoch from until - now()) as s from notify.destination_state"

    def left_alone_for(seconds):
        put_off = Unstarted(claim=claim, delay_s=seconds, parked=Parked.URL)
        worker._heart._standing.note(sink.url, put_off, time.monotonic())

    left_alone_for(30.0)
    wait_for(lambda: [r.s for r in db.execute(until) if r.s > 20])
    left_alone_for(300.0)
    wait_for(lambda: [r.s for r in db.execute(until) if r.s > 200])


def test_one_thing_that_the_database_refuses_keeps_nothing_else_from_being_written(
    db, start, sink, quick
):
    """A trigger on what is kept back: probes are heard of, and minutes written, all the same."""
    db.execute(
        "create function public.no() returns trigger language plpgsql as"
        " $$ begin raise 'no'; end $$;"
        "create trigger no before insert on notify.destination_state"
        " for each row execute function public.no()"
    )
    worker = start(num_threads=1, sends_per_thread=8)
    sink.now = 503
    webhooks(db, 20, sink.url + "/now")
    wait_for(lambda: worker._heart._standing.kept_back(time.monotonic()))
    db.execute(
        "insert into notify.probes (channel, destination, asked_at, asked_by)"
        " values ('webhook', %s, clock_timestamp(), 'ops')",
        [sink.url],
    )
    wait_for(lambda: worker._heart._heard)
