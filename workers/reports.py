"""What the settler reports: a count and a log line for each transition."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set

from service.logs import logs
from service.metrics import WorkerMetrics
from service.model.words import Status
from workers.claim import Ended, Key, Unstarted
from workers.rollups import Rollups
from workers.store import LOCKED, REFUSED, Settled

LEVELS = {Status.FAILED: "WARNING"}

Pairs = list[tuple[Ended, Settled]]  # what the ledger was asked to settle, and its answer


class Reports:
    """Metrics, logs and the counts by destination, a batch at a time."""

    def __init__(self, metrics: WorkerMetrics, rollups: Rollups) -> None:
        self._metrics = metrics
        self._rollups = rollups
        self._by_status = {
            Status.SENT: metrics.sent,
            Status.FAILED: metrics.failed,
            Status.QUEUED: metrics.retried,
            Status.EXPIRED: metrics.expired,
        }

    def settled(self, batch: Sequence[Ended], results: Mapping[Key, Settled]) -> None:
        """Account for a batch that was settled; what has no result was stale."""
        self._metrics.settle_batch.observe(len(batch))
        stale: list[Ended] = []
        settled_as: defaultdict[tuple[str, str, bool | None], Pairs] = defaultdict(list)
        for ended in batch:
            settled = results.get(ended.claim.key)
            if settled is None:
                stale.append(ended)
            elif settled.status not in (LOCKED, REFUSED):
                key = settled.status, ended.claim.channel, settled.counted
                settled_as[key].append((ended, settled))
        for (name, channel, counted), pairs in settled_as.items():
            status = Status(name)
            self._count(status, channel, pairs)
            row = sent_row if status == Status.SENT else unsent_row
            logs.transitions(
                event_of(status, counted),
                (row(*pair) for pair in pairs),
                LEVELS.get(status, "INFO"),
            )
        if stale:
            self._metrics.stale.inc(len(stale))
            logs.transitions("stale", (ended_row(ended) for ended in stale), "WARNING")

    def released(self, batch: Sequence[Unstarted], ours: Set[Key]) -> None:
        """Account for released claims: those in `ours`, which nobody else had taken by then."""
        self._metrics.released.inc(len(ours))
        back = [item for item in batch if item.claim.key in ours]
        reasons = Counter(item.parked for item in back if item.parked)
        for reason, count in reasons.items():
            self._metrics.parked.labels(reason).inc(count)
        for event, are_parked in (("released", False), ("parked", True)):
            items = [item for item in back if (item.parked is not None) == are_parked]
            if items:
                logs.transitions(event, (unstarted_row(item) for item in items))

    def _count(self, status: Status, channel: str, pairs: Pairs) -> None:
        """Count what became of one channel's notifications, and show how old the sent ones were."""
        self._by_status[status].labels(channel).inc(len(pairs))
        self._rollups.count(channel, [ended for ended, _ in pairs])
        for outcome, count in Counter(ended.verdict.outcome for ended, _ in pairs).items():
            self._metrics.attempts.labels(channel, outcome).inc(count)
        if status == Status.SENT:
            ages_s = [settled.age_s for _, settled in pairs]
            self._metrics.age_seconds.labels(channel).observe_all(ages_s)


def event_of(status: Status, counted: bool | None) -> str:
    """Name a transition. An attempt that was not counted holds its notification back."""
    if status == Status.QUEUED:
        return "retry" if counted else "held_back"
    return status


def ended_row(ended: Ended) -> dict[str, object]:
    """Make the log row that every attempt which ended has."""
    claim, verdict = ended.claim, ended.verdict
    return {
        **claim.log_fields,
        "outcome": verdict.outcome,
        "code": verdict.code,
        "took_ms": ended.took_ms,
    }


def sent_row(ended: Ended, settled: Settled) -> logs.Row:
    """Make the log row of an attempt that sent. `age_s`: since the notification could be sent."""
    claim = ended.claim
    if claim.traceparent is None:  # most have none: one dict, not two
        return {
            "notification_id": claim.id,
            "attempt": claim.attempt,
            "channel": claim.channel,
            "code": ended.verdict.code,
            "took_ms": ended.took_ms,
            "age_s": settled.age_s,
        }
    return {
        **claim.log_fields,
        "code": ended.verdict.code,
        "took_ms": ended.took_ms,
        "age_s": settled.age_s,
    }


def unsent_row(ended: Ended, settled: Settled) -> logs.Row:
    """Make the log row of an attempt that did not send.

    `counted`: whether it was one of max_attempts; `due_in_s`: until the next attempt, if any.
    """
    return {
        **ended_row(ended),
        "counted": settled.counted,
        "due_in_s": settled.due_in_s,
        "recipient": logs.masked(ended.claim.recipient),
    }


def unstarted_row(unstarted: Unstarted) -> logs.Row:
    """Make the log row of a claim that was released and is due again after `delay_s`."""
    return {
        **unstarted.claim.log_fields,
        "reason": unstarted.parked,
        "delay_s": unstarted.delay_s,
    }
