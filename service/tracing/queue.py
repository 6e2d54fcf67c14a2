"""The way of ended spans to the collector: a bounded queue, and one thread that sends from it.

The queue and the thread are the SDK's. Its caller never waits, and what finds no room is counted.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from requests import Response, Session

from service.logs.outage import Outage
from service.metrics.spans import SpanMetrics

QUEUE_MAX = 2048  # the standard's default of OTEL_BSP_MAX_QUEUE_SIZE
ANSWER_BYTES_MAX = 4096
STOP_MAX_S = 3.0
ANSWER_MAX_S = 10.0  # the standard's default of OTEL_EXPORTER_OTLP_TIMEOUT


class Requests(Session):
    """How the exporter makes its requests: no long answer is read, as it may have no end.

    `last`: what came of the last one, in words without addresses and secrets.
    """

    last = "nothing was sent"

    def request(self, *args: Any, **kwargs: Any) -> Response:
        """Make one request."""
        try:
            response = super().request(*args, **(kwargs | {"stream": True}))
            if is_short(response.headers.get("Content-Length", "")):
                response.raw.read()  # then the connection is used again
            response.close()
        except Exception as error:  # of requests, or of what it is made of
            self.last = type(error).__name__
            raise
        self.last = f"it answered {response.status_code}"
        return response


class Queue(SpanProcessor):
    """Takes each span that has ended, unless too many wait. Any thread may call it."""

    def __init__(self, metrics: SpanMetrics) -> None:
        self._full = metrics.dropped.labels("full")
        self._max = queue_max()
        self._waiting = 0  # in the SDK's queue, or being sent
        self._lock = threading.Lock()
        self._exporter = Exporter(metrics, self._left)
        self._inner = BatchSpanProcessor(self._exporter, max_queue_size=self._max)

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span."""
        context = span.get_span_context()
        if context is None or not context.trace_flags.sampled:
            return
        with self._lock:
            has_room = self._waiting < self._max
            self._waiting += has_room
        if has_room:
            self._inner.on_end(span)
        else:
            self._full.inc()
            self._exporter.found_no_room()

    def shutdown(self) -> None:
        """Send what waits, for STOP_MAX_S at most. The SDK itself would wait for half a minute."""
        sending = threading.Thread(target=self._inner.shutdown, name="spans-stop", daemon=True)
        sending.start()
        sending.join(STOP_MAX_S)
        if sending.is_alive():
            self._exporter.shutdown()

    def _left(self, count: int) -> None:
        with self._lock:
            self._waiting -= count


class Exporter(SpanExporter):
    """Sends spans by OTLP; counts them, and logs once that the collector is away, or back."""

    def __init__(self, metrics: SpanMetrics, left: Callable[[int], None]) -> None:
        """`left`: is told how many have left the queue."""
        self._pushed = metrics.pushed
        self._refused = metrics.dropped.labels("refused")
        self._left = left
        self._outage = Outage("otlp")
        self._began: float | None = None  # monotonic, the batch that is being sent
        self._requests = Requests()
        self._inner = OTLPSpanExporter(session=self._requests)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send one batch; the SDK's thread calls it."""
        self._began = time.monotonic()
        try:
            result = self._inner.export(spans)
        except Exception as error:  # the library's own fault
            self._requests.last = type(error).__name__
            result = SpanExportResult.FAILURE
        self._began = None
        self._left(len(spans))
        if result is SpanExportResult.SUCCESS:
            self._pushed.inc(len(spans))
            self._outage.back()
        else:
            self._refused.inc(len(spans))
            self._outage.away(ConnectionError(self._requests.last))
        return result

    def found_no_room(self) -> None:
        """Log that the collector is away if it is the reason; any thread may call it.

        The timeout of requests is one of each read: an answer that drips in ends no batch.
        """
        began = self._began
        if began is not None and time.monotonic() - began > ANSWER_MAX_S:
            self._outage.away(TimeoutError("it does not answer in time"))

    def shutdown(self) -> None:
        """Give up what is being sent."""
        self._inner.shutdown()  # type: ignore[no-untyped-call]


def is_short(length: str) -> bool:
    """Return whether an answer says that it is short."""
    return length.isascii() and length.isdigit() and int(length) <= ANSWER_BYTES_MAX


def queue_max() -> int:
    """Read OTEL_BSP_MAX_QUEUE_SIZE; what is no number of spans is the default."""
    text = os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE", "").strip()
    return int(text) if text.isascii() and text.isdigit() and int(text) else QUEUE_MAX
