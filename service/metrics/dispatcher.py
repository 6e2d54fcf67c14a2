"""What the dispatcher counts, and what its leader knows of the queue and the servers."""

from collections.abc import Callable

from prometheus_client import REGISTRY, CollectorRegistry

from service.metrics.factory import MetricFactory
from service.model.words import LANES, Channel

TABLES = ("notifications", "attempts")
RESULTS = ("in_time", "late", "failed", "expired")
STEPS = ("make_days", "drop_days", "sweep_default", "tend_days")
JOBS = (
    "reaper", "reconciler", "gauges", "vitals", "partitions", "payloads", "slo", "clock",
    "turn_keys", "pauses",
)  # fmt: skip


class DispatcherMetrics:
    """What the dispatcher and its background jobs count.

    Only the leader knows the readings: they are NaN elsewhere, and when they could not be read.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        factory = MetricFactory(registry)
        self.reaper_runs = factory.counter("reaper_runs_total", "Runs of the reaper.")
        self.reaped = factory.counter(
            "reaper_rows_total",
            "Notifications whose lease passed, by what they became; refused: PostgreSQL did not "
            "let them be moved, and they are tried again.",
            status=["queued", "failed", "sent", "expired", "refused"],
        )
        self.reconciler_runs = factory.counter("reconciler_runs_total", "Runs of the reconciler.")
        self.lost = factory.counter(
            "reconciler_lost_total",
            "Ids that were offered and came back without a claim: 0 without faults.",
        )
        self.offered = factory.counter("dispatcher_offered_total", "Ids put into the ready set.")
        self.bells = factory.counter(
            "dispatcher_bells_total", "Bells (NOTIFY) that a sleeping dispatcher answered."
        )
        self.leading = factory.gauge("dispatcher_leading", "1: this one leads. 0: it stands by.")
        self.lead_held_by_stranger = factory.gauge(
            "dispatcher_lead_held_by_stranger",
            "1: this one stands by, and who holds the leader's lock is no dispatcher; its log and "
            "notify doctor say who.",
        )
        self.succeeded = factory.gauge(
            "job_last_success_timestamp_seconds",
            "When a job of the leader last ran without an error, in this process; 0: not yet.",
            name=JOBS,
        )
        self.slo = factory.counter(
            "slo_notifications_total",
            "Notifications that ended, as the leader moves them into slo_daily: sent within 10 s "
            "of falling due (in_time) or later (late), failed or expired. One that is redriven "
            "ends again, and counts again.",
            channel=Channel,
            priority=LANES,
            result=RESULTS,
        )
        self.redis_up = factory.reading(
            "dispatcher_redis_up",
            "1: Redis does all that the road needs, at once. 0: it is away, slow, or refuses some.",
        )
        self.redis_memory = factory.reading(
            "dispatcher_redis_memory_bytes", "Memory that Redis uses, all of it; NaN: it is away."
        )
        self.redis_memory_max = factory.reading(
            "dispatcher_redis_memory_max_bytes",
            "What it may use (maxmemory); 0: there is no limit; NaN: it is away.",
        )
        self.ready = factory.reading(
            "dispatcher_ready_set_depth",
            "Ids in the ready set, by priority; NaN: Redis is away.",
            priority=LANES,
        )
        self.queued = factory.reading(
            "db_queued_notifications", "Notifications with status queued, due or not."
        )
        self.sending = factory.reading(
            "db_sending_notifications", "Notifications with status sending."
        )
        self.is_estimate = factory.reading(
            "db_gauges_are_estimates", "1: a count above 100000 was estimated."
        )
        self.oldest_due = factory.reading(
            "db_oldest_due_age_seconds",
            "Since the longest waiting notification fell due; 0: none is due.",
        )
        self.gauges_at = factory.gauge(
            "db_gauges_timestamp_seconds",
            "When this process last read db_queued_notifications and its like; 0: never.",
        )
        self.notify_usage = factory.reading(
            "db_notify_queue_usage_ratio",
            "Share of PostgreSQL's NOTIFY queue in use. Full, every commit with a NOTIFY fails.",
        )
        self.oldest_transaction = factory.reading(
            "db_oldest_transaction_age_seconds",
            "Since the longest transaction of this database began; 0: there is none. NaN: a "
            "session of a role that ours may not look at is connected (grant pg_read_all_stats).",
        )
        self.xmin_age = factory.reading(
            "db_xmin_age_transactions",
            "How many transactions the oldest snapshot, replication slot or prepared transaction "
            "holds vacuum back. NaN: as db_oldest_transaction_age_seconds.",
        )
        self.dead_tuples = factory.reading(
            "db_dead_tuples",
            "Dead rows in all partitions, as PostgreSQL's statistics estimate them.",
            table=TABLES,
        )
        self.size = factory.reading(
            "db_size_bytes", "Size of all partitions with their indexes and TOAST.", table=TABLES
        )
        self.partitions_ahead = factory.reading(
            "db_partitions_ahead_days", "Days after today (UTC) that have their partition."
        )
        self.default_rows = factory.reading(
            "db_default_partition_rows",
            "Rows outside their day's partition, counted up to 1000.",
            table=TABLES,
        )
        self.watch_faults = factory.reading(
            "db_watch_faults",
            "Statements of the last 30 days whose changes a watch with on_error 'skip' could not "
            "tell, counted up to 1000; notify.watch_faults says why.",
        )
        self.oldest_pause = factory.reading(
            "db_oldest_pause_age_seconds",
            "Since what is paused the longest was paused; 0: nothing is.",
        )
        self.maintenance_failed = factory.reading(
            "notify_maintenance_failed",
            "1: the step did not do all of its work when it last ran, or waits for somebody's lock;"
            " the log and notify doctor say why. 0: it did.",
            step=STEPS,
        )
        self.clock_skew = factory.reading(
            "dispatcher_clock_skew_seconds",
            "How far this machine's clock is ahead of the ledger's.",
        )
        self.ledger_is_copy = factory.reading(
            "dispatcher_ledger_is_copy",
            "1: the leader neither offers nor reaps, as the ledger is not at home for it: it was "
            "copied, or ENVIRONMENT is another.",
        )
        self.created_ahead = factory.reading(
            "db_created_ahead_seconds",
            "How far the newest notification was created ahead of the ledger's clock, which then "
            "was wrong; 0: no clock was.",
        )
        self.mended = factory.counter(
            "clock_mended_rows_total",
            "Notifications that a clock which was ahead had put off (due), or leases that it had "
            "made too long (lease), as the leader pulled them back.",
            what=["due", "lease"],
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
            self.watch_faults,
            self.oldest_pause,
        )
        self.redis = (self.redis_memory, self.redis_memory_max, self.ready)

    def done(self, job: str) -> Callable[[], None]:
        """Return the function that notes that a job has succeeded."""
        return self.succeeded.labels(job).set_to_current_time

    def forget(self) -> None:
        """Show every reading as unknown: another dispatcher leads now, and shows them."""
        for reading in (
            *self.queue,
            *self.vitals,
            *self.redis,
            self.redis_up,
            self.maintenance_failed,
            self.clock_skew,
            self.created_ahead,
            self.ledger_is_copy,
        ):
            reading.forget()
