"""What a POST /notify and each item of a batch have in common: how they are checked and counted."""

from http import HTTPStatus
from typing import TYPE_CHECKING

from service.access.caller import Caller
from service.api.body import read_notification
from service.api.door import refuse_unless_sendable
from service.api.ready import Ready, ready
from service.clock import Clock
from service.config.settings import Settings
from service.http.problems import Problem
from service.metrics import ApiMetrics
from service.model.words import Channel

if TYPE_CHECKING:
    from service.tracing.tracer import Tracer


class Intake:
    """Checks what is to be enqueued, and counts what became of it."""

    def __init__(
        self,
        settings: Settings,
        metrics: ApiMetrics,
        clock: Clock,
        *,
        tracer: "Tracer | None" = None,
    ) -> None:
        self._settings = settings
        self._now = clock.now
        self._tracer = tracer
        self._enqueued = {channel: metrics.enqueued.labels(channel) for channel in Channel}
        self._failed = metrics.enqueue_failed

    def checked(
        self, body: bytes, caller: Caller, trace: str | None, key: str | None = None
    ) -> Ready:
        """Read one notification. Raises Problem.

        `trace`: the request's traceparent; `key`: what its header Idempotency-Key says.
        """
        notification = read_notification(body, self._settings, self._now, key)
        refuse_unless_sendable(caller, notification.channel, notification.recipient)
        return ready(notification, caller, trace, self._tracer)

    def count(self, channel: Channel, rows: int = 1) -> None:
        """Count what was accepted; a repetition is not."""
        self._enqueued[channel].inc(rows)

    def count_failed(self, problem: Problem, rows: int = 1) -> None:
        """Count what was not; a key that ended while the body came is counted as at the door."""
        if problem.kind.status == HTTPStatus.UNAUTHORIZED:
            return
        self._failed.labels("invalid" if problem.kind.status < 500 else "unavailable").inc(rows)
