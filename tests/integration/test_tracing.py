"""Spans of enqueues and attempts, as a collector receives them; and collectors that are no help."""

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from service.config.settings import Settings
from service.metrics import SpanMetrics, WorkerMetrics
from service.names.guard import LOOPBACK
from tests import ledger
from tests.integration.api.conftest import warned  # noqa: F401 - a fixture
from tests.integration.api.serving import LINE, Api, serving
from tests.integration.workers.sink import Sink
from tests.unit.test_traceparent import GOOD, PARENT, TRACE
from tests.waiting import wait_for
from workers.claim import Unstarted
from workers.runner import Worker

pytestmark = pytest.mark.needs("otel")

SECRET = "only-for-the-recipient"
QUICK: dict[str, Any] = {
    "webhook_allow": LOOPBACK,
    "retry_schedule": (0.05,),
    "lease_s": 60.0,
    "max_retries": 3,
}


@pytest.fixture
def collector() -> Iterator[Any]:
    """Run a collector that takes everything."""
    from tests.collector import collecting

    with collecting() as collector:
        yield collector


@pytest.fixture
def counted() -> Callable[..., float]:
    """Read a counter of spans."""
    registry = CollectorRegistry()

    def counted(name: str, **labels: str) -> float:
        return registry.get_sample_value(name, labels) or 0.0

    counted.metrics = SpanMetrics(registry)  # type: ignore[attr-defined]
    return counted


@pytest.fixture
def trace(collector, counted, monkeypatch) -> Iterator[Callable[..., Any]]:
    """Make tracers as the OTEL_* variables say."""
    from service.tracing.tracer import Tracer

    tracers = []

    def trace(**env: str) -> Any:
        quick = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "20"}
        for name, value in (quick | env).items():
            monkeypatch.setenv(name, value)
        tracers.append(Tracer(counted.metrics))
        return tracers[-1]

    yield trace
    collector.answer = "refuse"
    for tracer in tracers:
        tracer.stop()


@pytest.fixture
def tracer(trace) -> Any:
    """Make a tracer that sends soon."""
    return trace()


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Listen for webhooks."""
    sink = Sink()
    yield sink
    sink.close()


@pytest.fixture
def api(dsn: str, tracer) -> Iterator[Api]:
    """Serve, with spans."""
    with serving(dsn, tracer=tracer) as running:
        yield running


@pytest.fixture
def work(dsn: str, tracer) -> Iterator[Worker]:
    """Run a worker, with spans."""
    worker = Worker(Settings(database_url=dsn, **QUICK), WorkerMetrics(CollectorRegistry()), tracer)
    worker.start()
    yield worker
    worker.stop()


@pytest.fixture
def deliver(work, db, sink) -> Callable[[int], None]:
    """Give a function that lets so many be sent, and waits for it."""
    columns = hook(sink, "/status/200") | {"payload": "{}", "traceparent": GOOD}

    def deliver(count: int) -> None:
        ids = ledger.enqueue(db, count, **columns)
        wait_for(lambda: {ledger.status(db, id) for id in ids} == {"sent"})

    return deliver


def ids(span: Any) -> SimpleNamespace:
    """Give a span's ids as text."""
    return SimpleNamespace(
        trace=span.trace_id.hex(),
        span=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=[link.span_id.hex() for link in span.links],
    )


def hook(sink: Sink, path: str) -> dict[str, Any]:
    return {
        "channel": "webhook",
        "recipient": f"{sink.url}{path}/x-of={SECRET}",
        "payload": {"secret": SECRET},
    }


def test_a_notification_by_http_is_one_trace_down_to_its_receiver(
    api: Api, work, db, sink, collector
) -> None:
    from tests.collector import attributes

    id = api.post(hook(sink, "/status/200"), traceparent=GOOD).json["id"]
    [attempt] = wait_for(lambda: collector.named("process webhook"))
    [enqueue] = wait_for(lambda: collector.named("send webhook"))
    assert (ids(enqueue).trace, ids(enqueue).parent) == (TRACE, PARENT)
    assert (ids(attempt).trace, ids(attempt).parent) == (TRACE, ids(enqueue).span)
    assert ids(attempt).links == []
    row = ledger.row(db, id)
    assert row.traceparent == f"00-{TRACE}-{ids(enqueue).span}-01"
    assert sink.requests[0].headers["traceparent"] == f"00-{TRACE}-{ids(attempt).span}-01"
    common = {
        "messaging.system": "notify",
        "messaging.destination.name": "webhook",
        "messaging.message.id": id,
        "notification.id": id,
        "notification.channel": "webhook",
    }
    sends, processes = (
        {"messaging.operation.name": name, "messaging.operation.type": name}
        for name in ("send", "process")
    )
    assert attributes(enqueue) == common | sends | {"notification.replayed": False}
    assert attributes(attempt) == common | processes | {
        "notification.attempt": 1,
        "notification.outcome": "sent",
        "notification.code": "200",
    }
    assert (enqueue.kind, attempt.kind) == (enqueue.SPAN_KIND_PRODUCER, enqueue.SPAN_KIND_CONSUMER)
    assert collector.services == {"notify"}
    assert SECRET.encode() not in collector.raw


def test_a_later_attempt_is_linked_to_what_it_belongs_to(work, db, sink, collector) -> None:
    from tests.collector import attributes

    columns = hook(sink, "/once/503") | {"payload": "{}", "traceparent": GOOD}
    [id] = ledger.enqueue(db, **columns)
    first, second = wait_for(
        lambda: found if len(found := collector.named("process webhook")) == 2 else None
    )
    assert (ids(first).trace, ids(first).parent, ids(first).links) == (TRACE, PARENT, [])
    assert (ids(second).trace, ids(second).links) == (TRACE, [PARENT])
    assert [attributes(span)["notification.attempt"] for span in (first, second)] == [1, 2]
    assert attributes(first)["error.type"] == attributes(first)["notification.code"] == "503"
    assert (first.status.code, second.status.code) == (first.status.STATUS_CODE_ERROR, 0)
    sent = [request.headers["traceparent"] for request in sink.requests]
    assert sent == [f"00-{TRACE}-{ids(span).span}-01" for span in (first, second)]
    assert ledger.row(db, id).traceparent == GOOD


def test_without_a_traceparent_each_attempt_is_a_trace_of_its_own(
    work, db, sink, collector
) -> None:
    ledger.enqueue(db, **(hook(sink, "/once/503") | {"payload": "{}"}))
    spans = wait_for(
        lambda: found if len(found := collector.named("process webhook")) == 2 else None
    )
    assert [(ids(span).parent, ids(span).links) for span in spans] == [("", []), ("", [])]
    sent = [request.headers["traceparent"] for request in sink.requests]
    # 03: recorded, and the trace id is random.
    assert sent == [f"00-{ids(span).trace}-{ids(span).span}-03" for span in spans]


def test_what_has_no_transfer_has_its_span_too(work, db, collector) -> None:
    ledger.enqueue(db, traceparent=GOOD)
    [span] = wait_for(lambda: collector.named("process log"))
    assert (ids(span).trace, ids(span).parent) == (TRACE, PARENT)


def test_what_goes_back_unstarted_was_no_attempt(trace) -> None:
    from workers.attempts import Attempts

    tracer = trace()
    attempts = Attempts(tracer)
    claim = attempts.begin(a_claim())
    attempts.end([Unstarted(claim=claim)])
    assert attempts._begun == {}
    assert tracer._queue._waiting == 0


def test_each_of_a_batch_has_its_span(api: Api, db, collector) -> None:
    body = json.dumps([LINE, {}, LINE]).encode()
    headers = {"Content-Type": "application/json", "traceparent": GOOD}
    answer = api.ask("POST", "/notify/batch", body, **headers)
    spans = wait_for(lambda: found if len(found := collector.named("send log")) == 2 else None)
    assert {(ids(span).trace, ids(span).parent) for span in spans} == {(TRACE, PARENT)}
    stored = {row.traceparent for row in db.execute("select * from notify.notifications")}
    assert stored == {f"00-{TRACE}-{ids(span).span}-01" for span in spans}
    assert answer.json["accepted"] == 2


def test_what_is_refused_or_repeated_says_so(api: Api, db, collector) -> None:
    from tests.collector import attributes

    db.execute(
        "create function public.no() returns trigger language plpgsql as"
        " $$begin raise exception 'no' using errcode = 'check_violation', constraint = 'no'; end$$"
    )
    assert api.post(LINE | {"idempotency_key": "k"}).status == 202
    assert api.post(LINE | {"idempotency_key": "k"}).status == 200
    db.execute(
        "create trigger no before insert on notify.notifications"
        " for each row execute function public.no()"
    )
    assert api.post(LINE).status == 422
    spans = wait_for(lambda: found if len(found := collector.named("send log")) == 3 else None)
    said = [attributes(span) for span in spans]
    assert [one.get("notification.replayed") for one in said] == [False, True, None]
    assert [one.get("error.type") for one in said] == [None, None, "no"]


def test_a_trace_that_is_not_recorded_goes_on_unrecorded(
    api: Api, work, db, sink, collector
) -> None:
    unrecorded = f"00-{TRACE}-{PARENT}-00"
    id = api.post(hook(sink, "/status/200"), traceparent=unrecorded).json["id"]
    wait_for(lambda: ledger.status(db, id) == "sent")
    assert sink.requests[0].headers["traceparent"].startswith(f"00-{TRACE}-")
    assert sink.requests[0].headers["traceparent"].endswith("-00")
    assert api.post(LINE, traceparent=GOOD).status == 202
    wait_for(lambda: collector.named("send log"))  # behind it
    assert collector.named("send webhook") == collector.named("process webhook") == []


def test_the_standard_variables_say_who_and_how_many(trace, collector) -> None:
    tracer = trace(OTEL_SERVICE_NAME="shop-notify", OTEL_TRACES_SAMPLER="always_off")
    tracer.enqueue("log", None).end({})
    kept = trace(OTEL_TRACES_SAMPLER="always_on", OTEL_EXPORTER_OTLP_COMPRESSION="gzip")
    kept.enqueue("log", f"00-{TRACE}-{PARENT}-00").end({})
    [span] = wait_for(lambda: collector.named("send log"))
    assert ids(span).trace == TRACE
    assert collector.services == {"shop-notify"}


def test_a_collector_that_is_away_is_one_line_and_delays_nobody(
    deliver,
    collector,
    counted,
    warned,  # noqa: F811
) -> None:
    collector.answer = "refuse"
    for _ in range(3):
        before = counted("spans_dropped_total", reason="refused")
        deliver(5)
        wait_for(lambda before=before: counted("spans_dropped_total", reason="refused") > before)
    assert [line for line in warned if "away" in line and "otlp" in line] == [
        line for line in warned if "it answered 400" in line
    ]
    assert sum("otlp" in line for line in warned) == 1
    collector.answer = "take"
    deliver(1)
    wait_for(lambda: counted("spans_pushed_total"))


@pytest.mark.parametrize("answer", ["hang", "endless", "redirect", "later"])
def test_a_collector_that_misleads_us_delays_nobody(deliver, collector, answer) -> None:
    collector.answer = answer
    deliver(20)
    wait_for(lambda: collector.requests)
    deliver(20)


def test_an_answer_without_an_end_is_not_read(trace, collector, counted) -> None:
    from tests.collector import PART

    collector.answer = "endless"
    trace().enqueue("log", None).end({})
    wait_for(lambda: counted("spans_pushed_total") == 1)
    assert collector.sent < 200 * len(PART)  # what the buffers of two sockets hold


def test_what_finds_no_room_is_dropped_and_counted(trace, collector, counted) -> None:
    collector.answer = "hang"
    tracer = trace(OTEL_BSP_MAX_QUEUE_SIZE="10", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="5")
    for _ in range(100):
        tracer.enqueue("log", None).end({})
    assert counted("spans_dropped_total", reason="full") == 90
    assert counted("spans_pushed_total") == 0


def test_a_collector_that_does_not_answer_in_time_is_one_line(
    trace,
    collector,
    counted,
    monkeypatch,
    warned,  # noqa: F811
) -> None:
    collector.answer = "hang"
    tracer = trace(OTEL_BSP_MAX_QUEUE_SIZE="10", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="5")
    for _ in range(20):
        tracer.enqueue("log", None).end({})
    wait_for(lambda: collector.requests)
    assert not any("otlp" in line for line in warned)  # a burst alone is no outage
    monkeypatch.setattr("service.tracing.queue.ANSWER_MAX_S", 0.0)
    for _ in range(20):
        tracer.enqueue("log", None).end({})
    [line] = [line for line in warned if "otlp" in line]
    assert "away" in line and "it does not answer in time" in line


def test_a_collector_that_hangs_holds_up_no_end(trace, collector, monkeypatch) -> None:
    monkeypatch.setattr("service.tracing.queue.STOP_MAX_S", 0.05)
    collector.answer = "hang"
    tracer = trace(OTEL_EXPORTER_OTLP_TIMEOUT="3600")
    tracer.enqueue("log", None).end({})
    wait_for(lambda: collector.requests)
    tracer.stop()  # it would wait for an hour
    assert collector.spans == []


def test_what_the_library_raises_costs_a_span_alone(
    api: Api, deliver, sink, counted, tracer
) -> None:
    tracer._tracer = None
    assert api.post(LINE, traceparent=GOOD).status == 202
    deliver(1)
    assert sink.requests[0].headers["traceparent"] == GOOD
    assert counted("spans_dropped_total", reason="broken") >= 2


def a_claim() -> Any:
    from tests.unit.workers.claims import a_claim

    return a_claim(traceparent=GOOD)
