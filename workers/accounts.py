"""What the settler tells: a count and a log line for each transition."""

from collections import Counter
from collections.abc import Mapping, Sequence

from loguru import logger
from prometheus_client import Histogram

from service.logs import masked
from service.metrics import WorkerMetrics
from service.model import Channel, Status
from workers.claim import Ended, Unstarted
from workers.store import LOCKED, Settled


class Accounts:
    """Metrics and logs. `debug`: whether lines of level debug are wanted: asking loguru is dear."""

    def __init__(self, metrics: WorkerMetrics, *, debug: bool) -> None:
        self.metrics = metrics
        self.debug = debug
        self.by_status = {
            Status.SENT: metrics.sent,
            Status.FAILED: metrics.failed,
            Status.QUEUED: metrics.retried,
            Status.EXPIRED: metrics.expired,
        }
        self.age_seconds: dict[str, Histogram] = {
            channel: metrics.age_seconds.labels(channel) for channel in Channel
        }

    def enter(self, batch: Sequence[Ended], found: Mapping[tuple[str, int], Settled]) -> None:
        """Account for a batch that was settled; what is not found was stale."""
        self.metrics.settle_batch.observe(len(batch))
        statuses: Counter[tuple[str, str]] = Counter()
        outcomes: Counter[tuple[str, str]] = Counter()
        for one in batch:
            settled = found.get(one.claim.key)
            if settled is None:
                self.stale(one)
            elif settled.status != LOCKED:
                channel = one.claim.channel
                statuses[channel, settled.status] += 1
                outcomes[channel, one.verdict.outcome] += 1
                self.tell(one, settled)
        for (channel, status), count in statuses.items():
            self.by_status[Status(status)].labels(channel).inc(count)
        for (channel, outcome), count in outcomes.items():
            self.metrics.attempts.labels(channel, outcome).inc(count)

    def given_back(self, batch: Sequence[Unstarted], count: int) -> None:
        """Account for released claims, `count` of which were still ours."""
        self.metrics.released.inc(count)
        reasons = Counter(one.parked for one in batch if one.parked)
        for reason, parked in reasons.items():
            self.metrics.parked.labels(reason).inc(parked)
        if not reasons:  # a destination that is down is told of once, by its breaker
            logger.info("released", count=count, of=len(batch))
        elif self.debug:
            logger.debug("parked", count=count, of=len(batch), delay_s=batch[0].delay_s)

    def stale(self, one: Ended) -> None:
        """Account for an attempt that another had overtaken."""
        self.metrics.stale.inc()
        logger.warning(
            "stale",
            notification_id=one.claim.id,
            attempt=one.claim.attempt,
            outcome=one.verdict.outcome,
        )

    def tell(self, one: Ended, settled: Settled) -> None:
        """Log one transition, and show how long a sent one took since it could be sent."""
        if settled.status == Status.SENT:
            self.age_seconds[one.claim.channel].observe(settled.age_s)
            if self.debug:
                logger.debug("sent", notification_id=one.claim.id, attempt=one.claim.attempt)
            return
        verdict = one.verdict
        failed = settled.status == Status.FAILED
        logger.log(
            "WARNING" if failed else "INFO",
            "retry" if settled.status == Status.QUEUED else settled.status,
            notification_id=one.claim.id,
            attempt=one.claim.attempt,
            channel=one.claim.channel,
            recipient=masked(one.claim.recipient),
            outcome=verdict.outcome,
            code=verdict.code,
            due_in_s=settled.due_in_s,
        )
