"""What workers count."""

from prometheus_client import REGISTRY, CollectorRegistry

from service.metrics.factory import BATCHES, DURATIONS_S, MetricFactory
from service.model.words import Channel, Outcome


class WorkerMetrics:
    """What workers count."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        factory = MetricFactory(registry)
        self.picked_up = factory.counter(
            "worker_jobs_picked_up_total", "Attempts begun: notifications claimed.", channel=Channel
        )
        self.sent = factory.counter(
            "worker_jobs_sent_total", "Notifications that became sent.", channel=Channel
        )
        self.failed = factory.counter(
            "worker_jobs_failed_total",
            "Notifications that became failed. The reaper's are in reaper_rows_total.",
            channel=Channel,
        )
        self.retried = factory.counter(
            "worker_jobs_retried_total",
            "Attempts that failed and were queued again.",
            channel=Channel,
        )
        self.expired = factory.counter(
            "worker_jobs_expired_total",
            "Notifications that became expired instead of being sent late.",
            channel=Channel,
        )
        self.attempts = factory.counter(
            "worker_attempts_total",
            "Ended attempts by what came of them. The reaper's are in reaper_rows_total.",
            channel=Channel,
            outcome=[outcome for outcome in Outcome if outcome != Outcome.LEASE_EXPIRED],
        )
        self.stale = factory.counter(
            "worker_stale_settles_total",
            "Attempts whose lease had been taken back when they were settled: maybe duplicates.",
        )
        self.refused = factory.counter(
            "worker_rows_refused_total",
            "Rows that PostgreSQL refused to move: a trigger, a constraint, an unreadable value. "
            "They are set aside, and the log names their ids.",
            call=["claim", "settle", "release"],
        )
        self.hints_dropped = factory.counter(
            "worker_hints_dropped_total",
            "Members of the ready set that are no ids of ours: somebody else writes there.",
        )
        self.redis_unoffered = factory.gauge(
            "worker_redis_unoffered",
            "1: no dispatcher offers in the Redis that this worker asks, though rows are due.",
        )
        self.released = factory.counter(
            "worker_jobs_released_total", "Claims given back unstarted."
        )
        self.parked = factory.counter(
            "worker_jobs_parked_total",
            "Of those, given back for a while: their destination fails (breaker), has as many "
            "slots as it may, alone or with all who have not answered lately (share), or throttles "
            "(pace), its name is looked up for long (name), "
            "or their URL is left alone: its receiver named a time, or takes nothing (url).",
            reason=["breaker", "share", "pace", "name", "url"],
        )
        self.shortages = factory.counter(
            "worker_shortages_total",
            "Sends that could not begin for want of something on the worker's own host; their "
            "claims were given back without an attempt.",
            what=["descriptors", "memory", "local_ports"],
        )
        self.breakers = factory.gauge(
            "worker_breakers",
            "Destinations, or single URLs of them, that this worker leaves alone because they fail "
            "(open), or asks with one send at a time whether they are back (half_open).",
            state=["open", "half_open"],
        )
        self.breakers_opened = factory.counter(
            "worker_breakers_opened_total",
            "Destinations, or single URLs of them, that began to be left alone.",
        )
        self.in_hand = factory.gauge(
            "worker_jobs_in_hand", "Notifications claimed and not yet settled."
        )
        self.in_flight = factory.gauge(
            "worker_sends_in_flight",
            "Slots taken at this moment: claimed, and the send is not over. Of worker_slots.",
        )
        self.slots = factory.gauge(
            "worker_slots",
            "Sends that this worker may have in flight: NUM_THREADS x SENDS_PER_THREAD, or what "
            "its limit of open files allows.",
        )
        self.send_seconds = factory.batch_histogram(
            "worker_send_seconds",
            "Duration of one attempt's transfer; channel log has none.",
            DURATIONS_S,
            "channel",
            Channel,
        )
        self.age_seconds = factory.batch_histogram(
            "worker_enqueue_to_sent_seconds",
            "From when it could first be sent (created_at, or send_at if later) to sent, by the "
            "database's clock, all attempts and waits included.",
            DURATIONS_S,
            "channel",
            Channel,
        )
        self.claim_batch = factory.histogram(
            "worker_claim_batch_rows", "Rows of one claim.", BATCHES
        )
        self.settle_batch = factory.histogram(
            "worker_settle_batch_rows", "Rows of one settle.", BATCHES
        )
        self.clock_skew = factory.reading(
            "worker_clock_skew_seconds",
            "How far this machine's clock is ahead of the ledger's; NaN: it was not read yet.",
        )
        self.ledger_is_copy = factory.reading(
            "worker_ledger_is_copy",
            "1: this worker sends nothing, as the ledger is not at home for it: it was copied, or "
            "ENVIRONMENT is another; NaN: it was not read yet.",
        )
        self.loop_errors = factory.counter(
            "worker_loop_errors_total",
            "Errors nobody expected, survived by a thread.",
            thread=["claimer", "sender", "settler"],
        )
