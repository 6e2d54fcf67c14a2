"""/metrics of the commands: every name is shown, and every figure is what SQL counts."""

import re
import signal
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from psycopg.rows import namedtuple_row

from tests.acceptance.conftest import Command, free_port, post
from tests.acceptance.test_up import Up
from tests.integration.workers.sink import Sink
from tests.ledger import ago, change, counted, ended, enqueue, fold_slo
from tests.waiting import LIMIT_S, wait_for

Start = Callable[..., Command]

API = {
    "api_jobs_enqueued_total", "api_jobs_enqueue_failed_total", "api_enqueue_batch_rows_count",
    "api_request_seconds_bucket", "api_requests_in_progress", "api_operator_rows_total",
    "api_requests_waiting",
}  # fmt: skip
WORKER = {
    "worker_jobs_picked_up_total", "worker_jobs_sent_total", "worker_jobs_failed_total",
    "worker_jobs_retried_total", "worker_jobs_expired_total", "worker_attempts_total",
    "worker_stale_settles_total", "worker_jobs_released_total", "worker_jobs_parked_total",
    "worker_breakers", "worker_breakers_opened_total", "worker_jobs_in_hand",
    "worker_sends_in_flight", "worker_slots", "worker_send_seconds_bucket",
    "worker_enqueue_to_sent_seconds_bucket", "worker_claim_batch_rows_bucket",
    "worker_settle_batch_rows_bucket", "worker_loop_errors_total", "worker_hints_dropped_total",
}  # fmt: skip
DISPATCHER = {
    "reaper_runs_total", "reaper_rows_total", "reconciler_runs_total", "reconciler_lost_total",
    "dispatcher_offered_total", "dispatcher_bells_total", "dispatcher_leading",
    "dispatcher_ready_set_depth", "dispatcher_redis_up", "dispatcher_redis_memory_bytes",
    "dispatcher_redis_memory_max_bytes", "db_queued_notifications", "db_sending_notifications",
    "db_gauges_are_estimates", "db_oldest_due_age_seconds", "db_gauges_timestamp_seconds",
    "db_notify_queue_usage_ratio", "db_oldest_transaction_age_seconds", "db_xmin_age_transactions",
    "db_dead_tuples", "db_size_bytes", "db_partitions_ahead_days", "db_default_partition_rows",
    "db_oldest_pause_age_seconds",
    "db_watch_faults",
    "job_last_success_timestamp_seconds", "slo_notifications_total",
    "dispatcher_lead_held_by_stranger", "notify_maintenance_failed",
}  # fmt: skip
EVERY = {"notify_build_info", "process_cpu_seconds_total", "python_info"}
POOL = {
    "db_pool_connections", "db_pool_requests_waiting", "db_pool_wait_seconds_total",
    "db_pool_timeouts_total",
}  # fmt: skip
SETTLED = "select count(*) as n from notify.notifications where settled_at is not null"


def metrics(url: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Read what is shown: (name, labels) -> value."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=LIMIT_S) as answer:
        text = answer.read().decode()
    return {
        (s.name, frozenset(s.labels.items())): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def names(url: str) -> set[str]:
    return {name for name, _ in metrics(url)}


def by(url: str, metric: str, *labels: str) -> dict[Any, float]:
    """Read one metric by these labels, what is 0 left out."""
    sums: dict[Any, float] = defaultdict(float)
    for (name, given), value in metrics(url).items():
        if name == metric:
            sums[tuple(dict(given)[label] for label in labels)] += value
    return {key: value for key, value in sums.items() if value}


def settled(db: psycopg.Connection[Any]) -> int:
    """Count what has ended."""
    return int(db.execute(SETTLED).fetchone().n)


def counts(db: psycopg.Connection[Any], query: str) -> dict[Any, int]:
    return {tuple(r[:-1]): r[-1] for r in db.execute(query)}


def test_one_process_shows_all_of_it(start: Start, state: Path) -> None:
    up = Up(start, state)
    wait_for(lambda: by(up.api, "dispatcher_leading"))
    assert names(up.api) >= API | WORKER | DISPATCHER | EVERY | POOL
    assert set(by(up.api, "db_pool_connections", "pool")) == {
        ("notify-api",), ("notify-api-reads",), ("notify-maint",)}  # fmt: skip
    assert 0 < by(up.api, "worker_slots")[()] <= 512  # fewer where few files may be open
    for unknown_at_first in ("db_xmin_age_transactions", "db_oldest_transaction_age_seconds"):
        wait_for(lambda n=unknown_at_first: metrics(up.api)[n, frozenset()] >= 0)
    assert up.command.stop() == 0


def test_each_role_serves_its_own(start: Start, dsn: str, redis_url: str) -> None:
    env = {"DATABASE_URL": dsn, "REDIS_URL": redis_url, "WEBHOOK_ALLOW": "127.0.0.0/8"}
    urls = {}
    ports = {"api": "PORT", "dispatcher": "METRICS_PORT", "worker": "METRICS_PORT"}
    for role, variable in ports.items():
        port = str(free_port())
        urls[role] = f"http://127.0.0.1:{port}"
        start(role, **env, **{variable: port}).says(f":{port}")
    own = {"api": API | POOL, "dispatcher": DISPATCHER | POOL, "worker": WORKER}
    for role, shown in own.items():
        others = set().union(*own.values()) - shown
        assert names(urls[role]) >= shown | EVERY
        assert not names(urls[role]) & others
    assert set(by(urls["dispatcher"], "db_pool_connections", "pool")) == {("notify-maint",)}


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Listen for webhooks."""
    sink = Sink()
    yield sink
    sink.close()


@pytest.mark.slow  # seconds pass
def test_the_figures_are_what_sql_counts(start: Start, state: Path, sink: Sink) -> None:
    up = Up(start, state)
    dsn = re.search(r"psql '(.*)'", up.command.output)
    assert dsn is not None
    with psycopg.connect(dsn[1], autocommit=True, row_factory=namedtuple_row) as db:
        sink.now = 503
        again = up.sends(channel="webhook", recipient=f"{sink.url}/now", payload={})
        wait_for(lambda: db.execute("select from notify.attempts").rowcount == 1)
        sink.now = 200
        up.becomes(again, "sent")
        sink.now = 404
        dead = up.sends(channel="webhook", recipient=f"{sink.url}/now", payload={}, priority=0)
        up.becomes(dead, "failed")
        wait_for(lambda: by(up.api, "worker_jobs_failed_total"))

        sink.now = 200
        assert post(f"{up.api}/redrive", {"ids": [dead]})["redriven"] == 1
        up.becomes(dead, "sent")
        for n in range(8):
            up.sends(channel="webhook", recipient=f"{sink.url}/now", payload=n, priority=n % 4)
        up.sends(channel="log", recipient="me", payload={})
        late, *dated = enqueue(db, 3, send_at=ago(db, "-1 hour"))
        now = {"send_at": None, "due_at": ago(db, "1 second")}
        change(db, late, created_at=ago(db, "1 hour"), **now)
        for id in dated:
            change(db, id, expires_at=ago(db, "0.5 seconds"), **now)
        wait_for(lambda: settled(db) == 14)

        attempts = counts(
            db, "select channel, outcome, count(*) from notify.attempts join notify.notifications"
            " on id = notification_id group by 1, 2"
        )  # fmt: skip
        statuses = counts(
            db, "select channel, status, count(*) from notify.notifications group by 1, 2"
        )
        sent = {(channel,): n for (channel, status), n in statuses.items() if status == "sent"}
        expired = {(channel,): n for (channel, s), n in statuses.items() if s == "expired"}
        wait_for(lambda: by(up.api, "worker_jobs_sent_total", "channel") == sent)
        wait_for(lambda: by(up.api, "worker_attempts_total", "channel", "outcome") == attempts)
        wait_for(lambda: by(up.api, "worker_jobs_expired_total", "channel") == expired)
        wait_for(lambda: by(up.api, "worker_jobs_failed_total", "channel") == {("webhook",): 1})
        wait_for(lambda: by(up.api, "worker_jobs_retried_total", "channel") == {("webhook",): 1})
        wait_for(lambda: by(up.api, "worker_enqueue_to_sent_seconds_count", "channel") == sent)
        transfers = sum(n for (channel, _), n in attempts.items() if channel == "webhook")
        wait_for(
            lambda: by(up.api, "worker_send_seconds_count", "channel") == {("webhook",): transfers}
        )
        wait_for(
            lambda: (
                by(up.api, "api_jobs_enqueued_total", "channel") == {("webhook",): 10, ("log",): 1}
            )
        )
        wait_for(lambda: by(up.api, "api_operator_rows_total", "verb") == {("redrive",): 1})
        assert by(up.api, "worker_stale_settles_total") == {}

        assert counted(db) == ended(db)
        deltas = "select from notify.slo_deltas"
        wait_for(lambda: db.execute(deltas).rowcount == 0)
        assert counted(db) == ended(db)
        ledger: Counter[Any] = Counter({("webhook", "0", "failed"): 1})  # redriven since
        for (_, channel, priority, result), n in ended(db).items():
            ledger[channel, str(priority), result] += n
        labels = ("channel", "priority", "result")
        wait_for(lambda: by(up.api, "slo_notifications_total", *labels) == ledger)
        assert (ledger["log", "2", "late"], ledger["log", "2", "expired"]) == (1, 2)
    assert up.command.stop() == 0


@pytest.mark.slow  # 20,000 rows
def test_the_service_level_survives_workers_that_are_killed(
    start: Start, db: psycopg.Connection[Any], dsn: str, redis_url: str
) -> None:
    rows = 20_000
    enqueue(db, rows)
    env = {"DATABASE_URL": dsn, "REDIS_URL": redis_url, "LEASE_S": "14", "LOG_LEVEL": "warning"}
    env["WORKER_PROCESSES"] = "1"  # what is killed is what works
    for share in (0.1, 0.2, 0.3):
        worker = start("worker", METRICS_PORT=str(free_port()), **env)
        wait_for(lambda s=share: settled(db) >= s * rows)
        worker.stop(signal.SIGKILL)
        fold_slo(db)
    wait_for(lambda: counted(db) == ended(db))  # what PostgreSQL was told last may commit yet
    assert 0.3 * rows <= sum(counted(db).values()) <= rows
    assert sum(counted(db).values()) == settled(db)
