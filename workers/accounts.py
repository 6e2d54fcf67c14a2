"""What the settler tells: a count and a log line for each transition."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set

from service import logs
from service.metrics import WorkerMetrics
from service.model import Status
from workers.claim import Ended, Key, Unstarted
from workers.store import LOCKED, REFUSED, Settled

LEVELS = {Status.FAILED: "WARNING"}

Found = list[tuple[Ended, Settled]]


class Accounts:
    """Metrics and logs, a batch at a time."""

    def __init__(self, metrics: WorkerMetrics) -> None:
        self._metrics = metrics
        self._by_status = {
            Status.SENT: metrics.sent,
            Status.FAILED: metrics.failed,
            Status.QUEUED: metrics.retried,
            Status.EXPIRED: metrics.expired,
        }

    def enter(self, batch: Sequence[Ended], found: Mapping[Key, Settled]) -> None:
        """Account for a batch that was settled; what is not found was stale."""
        self._metrics.settle_batch.observe(len(batch))
        stale: list[Ended] = []
        settled_as: defaultdict[tuple[str, str, bool | None], Found] = defaultdict(list)
        for one in batch:
            settled = found.get(one.claim.key)
            if settled is None:
                stale.append(one)
            elif settled.status not in (LOCKED, REFUSED):
                key = settled.status, one.claim.channel, settled.counted
                settled_as[key].append((one, settled))
        for (name, channel, counted), ended in settled_as.items():
            status = Status(name)
            self._count(status, channel, ended)
            row = sent if status == Status.SENT else unsent
            logs.transitions(
                event_of(status, counted),
                (row(*pair) for pair in ended),
                LEVELS.get(status, "INFO"),
            )
        if stale:
            self._metrics.stale.inc(len(stale))
            logs.transitions("stale", (told(one) for one in stale), "WARNING")

    def _count(self, status: Status, channel: str, ended: Found) -> None:
        """Count what became of one channel's notifications, and show how old the sent ones were."""
        self._by_status[status].labels(channel).inc(len(ended))
        for outcome, count in Counter(one.verdict.outcome for one, _ in ended).items():
            self._metrics.attempts.labels(channel, outcome).inc(count)
        if status == Status.SENT:
            age_seconds = self._metrics.age_seconds.labels(channel)
            for _, settled in ended:
                age_seconds.observe(settled.age_s)

    def given_back(self, batch: Sequence[Unstarted], ours: Set[Key]) -> None:
        """Account for released claims, and tell of those that were still `ours`."""
        self._metrics.released.inc(len(ours))
        back = [one for one in batch if one.claim.key in ours]
        for reason, parked in Counter(one.parked for one in back if one.parked).items():
            self._metrics.parked.labels(reason).inc(parked)
        for event, are_parked in (("released", False), ("parked", True)):
            given = [one for one in back if (one.parked is not None) == are_parked]
            if given:
                logs.transitions(event, (unstarted(one) for one in given))


def event_of(status: Status, counted: bool | None) -> str:
    """Name a transition. An attempt that was not counted holds its notification back."""
    if status == Status.QUEUED:
        return "retry" if counted else "held_back"
    return status


def told(one: Ended) -> dict[str, object]:
    """Say what a log line tells of every attempt that ended."""
    claim, verdict = one.claim, one.verdict
    return {
        "notification_id": claim.id,
        "attempt": claim.attempt,
        "channel": claim.channel,
        "outcome": verdict.outcome,
        "code": verdict.code,
        "took_ms": one.took_ms,
    }


def sent(one: Ended, settled: Settled) -> logs.Row:
    """… of one that was sent. `age_s`: since it could be sent."""
    claim = one.claim
    return {
        "notification_id": claim.id,
        "attempt": claim.attempt,
        "channel": claim.channel,
        "code": one.verdict.code,
        "took_ms": one.took_ms,
        "age_s": settled.age_s,
    }


def unsent(one: Ended, settled: Settled) -> logs.Row:
    """… of one that was not. `counted`: whether that was one of max_attempts; `due_in_s`: until
    the next attempt, if there is to be one.
    """
    return {
        **told(one),
        "counted": settled.counted,
        "due_in_s": settled.due_in_s,
        "recipient": logs.masked(one.claim.recipient),
    }


def unstarted(one: Unstarted) -> logs.Row:
    """… of a claim that was given back, due again after `delay_s`."""
    return {
        "notification_id": one.claim.id,
        "attempt": one.claim.attempt,
        "channel": one.claim.channel,
        "reason": one.parked,
        "delay_s": one.delay_s,
    }
