"""A reaper that runs by itself, and workers that die or stand still; or PostgreSQL does."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from psycopg.rows import namedtuple_row

import service.dispatch.reaper
from service.config.settings import Settings
from service.embedded.servers import EmbeddedServers
from service.ledger.migrate import migrate
from service.metrics import WorkerMetrics
from service.names.guard import LOOPBACK
from tests.integration.dispatch.driving import Driven
from tests.integration.embedded.processes import descendants
from tests.integration.workers.sink import Sink
from tests.ledger import attempts_of, enqueue, row
from tests.scratch import scratch
from tests.waiting import LIMIT_S, wait_for
from workers.runner import Worker

LEASE_S = 7.0
QUICK: dict[str, Any] = {"lease_s": LEASE_S, "send_deadline_s": 3.0, "retry_schedule": (0.01,)}
OFTEN_S = 0.6
OFTEN: dict[str, Any] = {"reaping_interval_mins": OFTEN_S / 60, "lease_s": LEASE_S}
GRACE_S = 1.5  # it ends before the server stands still, and begins again after it
SENDING = "select count(*) as n from notify.notifications where status = 'sending'"
SENT = SENDING.replace("sending", "sent")

pytestmark = pytest.mark.slow  # leases of seconds pass


@pytest.fixture
def sink():
    sink = Sink()
    yield sink
    sink.hold.set()
    sink.close()


class WorkerProcess:
    """`notify worker` as a process of its own, to kill and to stop."""

    def __init__(self, dsn, directory):
        self.log = directory / "worker.log"
        program = Path(sys.executable).with_name("notify")
        settings = {"DATABASE_URL": dsn, "LEASE_S": f"{LEASE_S:g}", "SEND_DEADLINE_S": "3"}
        settings["WEBHOOK_ALLOW"] = "127.0.0.0/8"
        settings["WORKER_PROCESSES"] = "1"  # what is killed and paused is what works
        env = os.environ | settings | {"SHUTDOWN_GRACE_S": "1", "LOG_STYLE": "json"}
        with self.log.open("w") as stderr:
            self.process = subprocess.Popen(
                [program, "worker"], env=env, cwd=directory, stderr=stderr
            )

    def signal(self, number):
        self.process.send_signal(number)

    def stale(self):
        """Read how many of its settles came too late; None: it has not logged where to ask."""
        rows = map(json.loads, self.log.read_text().splitlines())
        urls = [line["url"] for line in rows if line["event"] == "metrics"]
        if not urls:
            return None
        [url] = urls
        with urlopen(url, timeout=LIMIT_S) as answer:
            samples = answer.read().decode().splitlines()
        [value] = [s for s in samples if s.startswith("worker_stale_settles_total ")]
        return float(value.split(" ")[1])


@pytest.fixture
def reaping(drive, no_grace):
    """Reap often, and at once."""
    with drive(redis_url=None, **OFTEN).running():
        yield


@pytest.fixture
def worker_process(dsn, tmp_path):
    worker = WorkerProcess(dsn, tmp_path)
    yield worker
    worker.signal(signal.SIGKILL)
    worker.process.wait(LIMIT_S)


@contextmanager
def worker_here(dsn, **settings):
    """Run a worker's threads in this process."""
    worker = Worker(
        Settings(database_url=dsn, webhook_allow=LOOPBACK, **(QUICK | settings)),
        WorkerMetrics(CollectorRegistry()),
    )
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def webhooks(db, n, url):
    return enqueue(db, n, channel="webhook", recipient=url, payload="{}")


def count(db, query):
    return db.execute(query).fetchone().n


@pytest.mark.usefixtures("reaping")
def test_what_a_killed_worker_had_in_hand_is_sent_soon_after_its_lease(
    db, dsn, sink, worker_process
):
    ids = webhooks(db, 20, sink.url + "/held")
    wait_for(lambda: len(sink.requests) == len(ids))
    worker_process.signal(signal.SIGKILL)
    sink.hold.set()
    with worker_here(dsn):
        wait_for(lambda: count(db, SENT) == len(ids))
    assert len(sink.requests) == 2 * len(ids)
    for id in ids:
        assert [a.outcome for a in attempts_of(db, id)] == ["lease_expired", "sent"]


@pytest.mark.usefixtures("reaping")
def test_a_worker_that_stood_still_beyond_its_lease_changes_nothing(db, dsn, sink, worker_process):
    ids = webhooks(db, 20, sink.url + "/held")
    wait_for(lambda: len(sink.requests) == len(ids))
    worker_process.signal(signal.SIGSTOP)
    sink.hold.set()
    with worker_here(dsn):
        wait_for(lambda: count(db, SENT) == len(ids))
    before = [row(db, id) for id in ids]
    worker_process.signal(signal.SIGCONT)
    wait_for(lambda: worker_process.stale() == len(ids))
    worker_process.signal(signal.SIGTERM)
    worker_process.process.wait(LIMIT_S)
    assert [row(db, id) for id in ids] == before
    for id in ids:
        assert [a.outcome for a in attempts_of(db, id)] == ["lease_expired", "sent"]


@pytest.fixture
def own_postgres():
    """Start a PostgreSQL of this test's own: its URL, and the ids of its processes."""
    with scratch() as state:
        before = descendants(os.getpid())
        with EmbeddedServers(Path(state), valkey=False, fast=True) as urls:
            migrate(urls.database_url)
            yield urls.database_url, lambda: descendants(os.getpid()) - before


def test_a_postgresql_that_stood_still_longer_than_the_leases_costs_the_living_nothing(
    own_postgres, sink, monkeypatch
):
    monkeypatch.setattr(service.dispatch.reaper, "SETTLE_GRACE_S", GRACE_S)
    dsn, family = own_postgres
    with (
        psycopg.connect(dsn, autocommit=True, row_factory=namedtuple_row) as db,
        Driven(dsn, None, **OFTEN) as driven,
        driven.running(),
        worker_here(dsn),
    ):
        wait_for(lambda: driven.metric("reaper_runs_total") > 2 * GRACE_S / OFTEN_S)
        ids = webhooks(db, 20, sink.url + "/held")
        wait_for(lambda: len(sink.requests) == len(ids))
        stopped = family()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            sink.hold.set()
            time.sleep(LEASE_S + 3)  # nothing to wait for: everything stands still
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        wait_for(lambda: count(db, SENT) == len(ids))
        assert len(sink.requests) == len(ids)
        runs = driven.metric("reaper_runs_total")
        wait_for(lambda: driven.metric("reaper_runs_total") > runs + 2 * GRACE_S / OFTEN_S)
        assert driven.metric("reaper_rows_total", status="queued") == 0
