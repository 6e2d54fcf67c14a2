"""Make spans: the names and attributes of the conventions for messaging, and which trace they join.

https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/ (in development: its names
stand in this file alone). No recipient and no payload is in a span.
"""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from service.metrics.spans import SpanMetrics
from service.tracing.queue import Queue

SERVICE = "notify"  # unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES says another
# Loggers that say of each batch what Outage says once. Doubts about variables come from others.
REPEATERS = ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal")


@dataclass(frozen=True, slots=True)
class Begun:
    """A span that has begun. One that never ends is never sent.

    `traceparent`: names it, for whoever goes on with the trace.
    """

    traceparent: str
    _span: Span
    _surviving: Callable[[], None]

    def end(self, attributes: Mapping[str, str | int | bool], error: str | None = None) -> None:
        """End it. `error`: a word for what went wrong; None: nothing did."""
        try:
            self._span.set_attributes(attributes)
            if error is not None:
                self._span.set_attribute("error.type", error)
                self._span.set_status(StatusCode.ERROR)
            self._span.end()
        except Exception:
            self._surviving()


class Tracer:
    """Begins spans, from any thread. It never raises and never waits: a span is lost instead."""

    def __init__(self, metrics: SpanMetrics) -> None:
        for name in REPEATERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._broken = metrics.dropped.labels("broken").inc
        self._queue = Queue(metrics)
        provider = TracerProvider(resource=resource(), shutdown_on_exit=False)
        provider.add_span_processor(self._queue)
        self._tracer = provider.get_tracer("notify")

    def enqueue(self, channel: str, parent: str | None) -> Begun | None:
        """Begin the span of an enqueue. `parent`: the request's traceparent. None: it failed."""
        return self._begin("send", SpanKind.PRODUCER, channel, parent, more={})

    def attempt(self, id_: str, attempt: int, channel: str, parent: str | None) -> Begun | None:
        """Begin the span of an attempt. `parent`: the row's traceparent.

        All are of the row's trace, so that one search shows them; a later one, which may come hours
        after the first, has a link to what it belongs to as well.
        """
        more = {
            "messaging.message.id": id_,
            "notification.id": id_,
            "notification.attempt": attempt,
        }
        return self._begin(
            "process", SpanKind.CONSUMER, channel, parent, more=more, is_linked=attempt > 1
        )

    def stop(self) -> None:
        """Send what waits, for some seconds at most."""
        self._queue.shutdown()

    def _begin(
        self,
        operation: str,
        kind: SpanKind,
        channel: str,
        parent: str | None,
        *,
        more: Mapping[str, Any],
        is_linked: bool = False,
    ) -> Begun | None:
        try:
            above = None if parent is None else context_of(parent)
            span = self._tracer.start_span(
                f"{operation} {channel}",
                context=Context() if above is None else in_context(above),
                kind=kind,
                attributes={
                    "messaging.system": SERVICE,
                    "messaging.operation.name": operation,
                    "messaging.operation.type": operation,
                    "messaging.destination.name": channel,
                    "notification.channel": channel,
                    **more,
                },
                links=[Link(above)] if above is not None and is_linked else None,
            )
            return Begun(traceparent_of(span), span, self._broken)
        except Exception:
            self._broken()
            return None


def started() -> Tracer:
    """Make the tracer of this process, and its metrics."""
    return Tracer(SpanMetrics())


def resource() -> Resource:
    """Say who makes the spans: what OTEL_* says, else our name."""
    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    return Resource.create(None if named else {"service.name": SERVICE})


def context_of(traceparent: str) -> SpanContext:
    """Read a traceparent that service/traceparent.py wrote."""
    return SpanContext(
        trace_id=int(traceparent[3:35], 16),
        span_id=int(traceparent[36:52], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(traceparent[53:], 16)),
    )


def in_context(above: SpanContext) -> Context:
    """Make the context of a span's children; whatever span the thread is in has no part in it."""
    return set_span_in_context(NonRecordingSpan(above), Context())


def traceparent_of(span: Span) -> str:
    """Write a span's name as the header does."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
