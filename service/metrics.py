"""The metrics, a class per role: a process shows those of the roles that run in it.

Labels are few and bounded (channel, outcome); never an id, a recipient or a URL. Each set of them
is there from the start, so that rates begin at 0.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from itertools import product
from typing import Any

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.model import LANES, Channel, Outcome, PoolStats
from service.schema import current_migration

DURATIONS_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
)  # fmt: skip
BATCHES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
TABLES = ("notifications", "attempts")
RESULTS = ("in_time", "late", "failed", "expired")
JOBS = ("reaper", "reconciler", "gauges", "vitals", "partitions", "slo")


class Shelf:
    """Where one class's metrics are made: all in one registry, without `_created` series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        # They would double every counter.
        disable_created_metrics()  # type: ignore[no-untyped-call]

    def counter(self, name: str, text: str, /, **labels: Iterable[object]) -> Counter:
        """Make a counter; each label comes with all its values."""
        made = Counter(name, text, list(labels), registry=self._registry)
        touch(made, labels)
        return made

    def gauge(self, name: str, text: str, /, **labels: Iterable[object]) -> Gauge:
        """Make a gauge."""
        made = Gauge(name, text, list(labels), registry=self._registry)
        touch(made, labels)
        return made

    def reading(self, name: str, text: str, /, **labels: Iterable[object]) -> "Reading":
        """Make a gauge that may be unknown."""
        made = Gauge(name, text, list(labels), registry=self._registry)
        return Reading(touch(made, labels) if labels else {(): made})

    def histogram(
        self, name: str, text: str, buckets: Sequence[float], /, **labels: Iterable[object]
    ) -> Histogram:
        """Make a histogram."""
        made = Histogram(name, text, list(labels), buckets=buckets, registry=self._registry)
        touch(made, labels)
        return made


class Reading:
    """A gauge that is NaN until it is set, and once it is forgotten: 0 would be an answer."""

    def __init__(self, gauges: Mapping[tuple[object, ...], Gauge]) -> None:
        self._gauges = gauges
        self.forget()

    def set(self, value: float | None, *labels: object) -> None:
        """Show what was read; None: it could not be."""
        self._gauges[labels].set(math.nan if value is None else value)

    def forget(self) -> None:
        """Show that it is not known."""
        for gauge in self._gauges.values():
            gauge.set(math.nan)


def touch(
    metric: MetricWrapperBase, labels: Mapping[str, Iterable[object]]
) -> dict[tuple[object, ...], Any]:
    """Make a child for every combination of the labels' values."""
    return (
        {values: metric.labels(*values) for values in product(*labels.values())} if labels else {}
    )


class ProcessMetrics(Collector):
    """What every process shows: which build it is, and its pools, read when it is asked."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        shelf = Shelf(registry)
        self._pools: dict[str, Callable[[], PoolStats]] = {}
        build = shelf.gauge(
            "notify_build_info",
            "1. version: of the package; schema: the migration that this build needs.",
            version=[version("notification-service")],
            schema=[current_migration()],
        )
        build.labels(version("notification-service"), current_migration()).set(1)
        registry.register(self)

    def show(self, pool: str, stats: Callable[[], PoolStats]) -> None:
        """Show a pool from now on."""
        self._pools[pool] = stats

    def describe(self) -> list[Metric]:
        """Name what collect() gives, so that registering reads no pool."""
        return list(pool_families())

    def collect(self) -> list[Metric]:
        """Read the pools: memory only, no SQL."""
        connections, waiting, waited, timeouts = families = pool_families()
        for pool, read in list(self._pools.items()):
            stats = read()
            connections.add_metric([pool, "idle"], stats.idle)
            connections.add_metric([pool, "used"], stats.used)
            waiting.add_metric([pool], stats.waiting)
            waited.add_metric([pool], stats.waited_s)
            timeouts.add_metric([pool], stats.timeouts)
        return list(families)


def pool_families() -> tuple[
    GaugeMetricFamily, GaugeMetricFamily, CounterMetricFamily, CounterMetricFamily
]:
    """Make the metrics of pools, without samples."""
    return (
        GaugeMetricFamily(
            "db_pool_connections",
            "Connections to PostgreSQL: idle in the pool, or used (lent out, or being opened).",
            labels=["pool", "state"],
        ),
        GaugeMetricFamily(
            "db_pool_requests_waiting",
            "Calls that wait for a connection at this moment.",
            labels=["pool"],
        ),
        CounterMetricFamily(
            "db_pool_wait_seconds_total",
            "Time that calls have waited for a connection.",
            labels=["pool"],
        ),
        CounterMetricFamily(
            "db_pool_timeouts_total",
            "Calls that got no connection: after 2 s, or because too many waited already.",
            labels=["pool"],
        ),
    )


class ApiMetrics:
    """What the HTTP edge counts."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        shelf = Shelf(registry)
        self.enqueued = shelf.counter(
            "api_jobs_enqueued_total",
            "Notifications accepted by POST /notify, after their commit.",
            channel=Channel,
        )
        self.enqueue_failed = shelf.counter(
            "api_jobs_enqueue_failed_total",
            "POST /notify that was not accepted: invalid (their mistake) or unavailable (ours).",
            reason=["invalid", "unavailable"],
        )
        self.batch = shelf.histogram(
            "api_enqueue_batch_rows", "Requests that shared one INSERT.", BATCHES
        )
        self.request_seconds = shelf.histogram(
            "api_request_seconds",
            "Duration of one request. route: its template, or other; code: the answer's status.",
            DURATIONS_S,
            route=[],
            code=[],
        )
        self.requests_in_progress = shelf.gauge(
            "api_requests_in_progress", "Requests that are being answered at this moment."
        )
        self.operator_rows = shelf.counter(
            "api_operator_rows_total",
            "Notifications that an operator cancelled or redrove.",
            verb=["cancel", "redrive"],
        )


class WorkerMetrics:
    """What workers count."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        shelf = Shelf(registry)
        self.picked_up = shelf.counter(
            "worker_jobs_picked_up_total", "Attempts begun: notifications claimed.", channel=Channel
        )
        self.sent = shelf.counter(
            "worker_jobs_sent_total", "Notifications that became sent.", channel=Channel
        )
        self.failed = shelf.counter(
            "worker_jobs_failed_total",
            "Notifications that became failed. The reaper's are in reaper_rows_total.",
            channel=Channel,
        )
        self.retried = shelf.counter(
            "worker_jobs_retried_total",
            "Attempts that failed and were queued again.",
            channel=Channel,
        )
        self.expired = shelf.counter(
            "worker_jobs_expired_total",
            "Notifications that became expired instead of being sent late.",
            channel=Channel,
        )
        self.attempts = shelf.counter(
            "worker_attempts_total",
            "Ended attempts by what came of them. The reaper's are in reaper_rows_total.",
            channel=Channel,
            outcome=[outcome for outcome in Outcome if outcome != Outcome.LEASE_EXPIRED],
        )
        self.stale = shelf.counter(
            "worker_stale_settles_total",
            "Attempts whose lease had been taken back when they were settled: maybe duplicates.",
        )
        self.released = shelf.counter("worker_jobs_released_total", "Claims given back unstarted.")
        self.parked = shelf.counter(
            "worker_jobs_parked_total",
            "Of those, given back for a while: their destination fails (breaker) or has as many "
            "slots as it may (share).",
            reason=["breaker", "share"],
        )
        self.breakers = shelf.gauge(
            "worker_breakers",
            "Destinations that this worker leaves alone because they fail (open), or asks with one "
            "send at a time whether they are back (half_open).",
            state=["open", "half_open"],
        )
        self.breakers_opened = shelf.counter(
            "worker_breakers_opened_total", "Destinations that began to be left alone."
        )
        self.in_hand = shelf.gauge(
            "worker_jobs_in_hand", "Notifications claimed and not yet settled."
        )
        self.in_flight = shelf.gauge(
            "worker_sends_in_flight",
            "Slots taken at this moment: claimed, and the send is not over. Of worker_slots.",
        )
        self.slots = shelf.gauge(
            "worker_slots",
            "Sends that this worker may have in flight: NUM_THREADS x SENDS_PER_THREAD.",
        )
        self.send_seconds = shelf.histogram(
            "worker_send_seconds",
            "Duration of one attempt's transfer; channel log has none.",
            DURATIONS_S,
            channel=Channel,
        )
        self.age_seconds = shelf.histogram(
            "worker_enqueue_to_sent_seconds",
            "From when it could first be sent (created_at, or send_at if later) to sent, by the "
            "database's clock, all attempts and waits included.",
            DURATIONS_S,
            channel=Channel,
        )
        self.claim_batch = shelf.histogram("worker_claim_batch_rows", "Rows of one claim.", BATCHES)
        self.settle_batch = shelf.histogram(
            "worker_settle_batch_rows", "Rows of one settle.", BATCHES
        )
        self.loop_errors = shelf.counter(
            "worker_loop_errors_total",
            "Errors nobody expected, survived by a thread.",
            thread=["claimer", "sender", "settler"],
        )


class DispatcherMetrics:
    """What the dispatcher and its background jobs count.

    Only the leader knows the gauges: elsewhere, and while the cause of one fails, they are NaN.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        shelf = Shelf(registry)
        self.reaper_runs = shelf.counter("reaper_runs_total", "Runs of the reaper.")
        self.reaped = shelf.counter(
            "reaper_rows_total",
            "Notifications whose lease passed, by what they became.",
            status=["queued", "failed"],
        )
        self.reconciler_runs = shelf.counter("reconciler_runs_total", "Runs of the reconciler.")
        self.lost = shelf.counter(
            "reconciler_lost_total",
            "Ids that were offered and came back without a claim: 0 without faults.",
        )
        self.offered = shelf.counter("dispatcher_offered_total", "Ids put into the ready set.")
        self.bells = shelf.counter("dispatcher_bells_total", "Wake-ups by NOTIFY.")
        self.leading = shelf.gauge("dispatcher_leading", "1: this one leads. 0: it stands by.")
        self.succeeded = shelf.gauge(
            "job_last_success_timestamp_seconds",
            "When a job of the leader last ran without an error, in this process; 0: not yet.",
            name=JOBS,
        )
        self.slo = shelf.counter(
            "slo_notifications_total",
            "Notifications that ended, as the leader moves them into slo_daily: sent within 10 s "
            "of falling due (in_time) or later (late), failed or expired. One that is redriven "
            "ends again, and counts again.",
            channel=Channel,
            priority=LANES,
            result=RESULTS,
        )
        self.redis_up = shelf.reading(
            "dispatcher_redis_up", "1: Redis answers the leader. 0: it does not."
        )
        self.redis_memory = shelf.reading(
            "dispatcher_redis_memory_bytes", "Memory that Redis uses, all of it; NaN: it is away."
        )
        self.redis_memory_max = shelf.reading(
            "dispatcher_redis_memory_max_bytes",
            "What it may use (maxmemory); 0: there is no limit; NaN: it is away.",
        )
        self.ready = shelf.reading(
            "dispatcher_ready_set_depth",
            "Ids in the ready set, by priority; NaN: Redis is away.",
            priority=LANES,
        )
        self.queued = shelf.reading(
            "db_queued_notifications", "Notifications with status queued, due or not."
        )
        self.sending = shelf.reading(
            "db_sending_notifications", "Notifications with status sending."
        )
        self.is_estimate = shelf.reading(
            "db_gauges_are_estimates", "1: a count above 100000 was estimated."
        )
        self.oldest_due = shelf.reading(
            "db_oldest_due_age_seconds",
            "Since the longest waiting notification fell due; 0: none is due.",
        )
        self.gauges_at = shelf.gauge(
            "db_gauges_timestamp_seconds",
            "When this process last read db_queued_notifications and its like; 0: never.",
        )
        self.notify_usage = shelf.reading(
            "db_notify_queue_usage_ratio",
            "Share of PostgreSQL's NOTIFY queue in use. Full, every commit with a NOTIFY fails.",
        )
        self.oldest_transaction = shelf.reading(
            "db_oldest_transaction_age_seconds",
            "Since the longest transaction of this database began; 0: there is none. NaN: a "
            "session of a role that ours may not look at is connected (grant pg_read_all_stats).",
        )
        self.xmin_age = shelf.reading(
            "db_xmin_age_transactions",
            "How many transactions the oldest snapshot, replication slot or prepared transaction "
            "holds vacuum back. NaN: as db_oldest_transaction_age_seconds.",
        )
        self.dead_tuples = shelf.reading(
            "db_dead_tuples",
            "Dead rows in all partitions, as PostgreSQL's statistics estimate them.",
            table=TABLES,
        )
        self.size = shelf.reading(
            "db_size_bytes", "Size of all partitions with their indexes and TOAST.", table=TABLES
        )
        self.partitions_ahead = shelf.reading(
            "db_partitions_ahead_days", "Days after today (UTC) that have their partition."
        )
        self.default_rows = shelf.reading(
            "db_default_partition_rows",
            "Rows outside their day's partition, counted up to 1000.",
            table=TABLES,
        )
        self.queue = (self.queued, self.sending, self.is_estimate, self.oldest_due)
        self.vitals = (
            self.notify_usage,
            self.oldest_transaction,
            self.xmin_age,
            self.dead_tuples,
            self.size,
            self.partitions_ahead,
            self.default_rows,
        )
        self.redis = (self.redis_memory, self.redis_memory_max, self.ready)

    def done(self, job: str) -> Callable[[], None]:
        """Give what notes that a job succeeded."""
        return self.succeeded.labels(job).set_to_current_time

    def forget(self) -> None:
        """Know nothing any more: another leads, and shows how things stand."""
        for reading in (*self.queue, *self.vitals, *self.redis, self.redis_up):
            reading.forget()


class LogMetrics:
    """What became of log lines on their way to Loki; 0 without LOKI_URL."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        shelf = Shelf(registry)
        self.pushed = shelf.counter("log_lines_pushed_total", "Log lines that Loki has taken.")
        self.dropped = shelf.counter(
            "log_lines_dropped_total",
            "Log lines that Loki will never see: older than the queue holds (full), or not taken "
            "by it (refused). Standard error has them all.",
            reason=["full", "refused"],
        )
        self.failures = shelf.counter(
            "log_push_failures_total", "Pushes to Loki that failed and are tried again."
        )
