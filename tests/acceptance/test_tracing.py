"""Spans of the commands: from one process to the next, in one trace; a collector that hangs."""

import json
import signal
from collections.abc import Callable, Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests import ledger
from tests.acceptance.conftest import Command, free_port
from tests.unit.test_traceparent import GOOD, TRACE
from tests.waiting import LIMIT_S, wait_for

pytestmark = pytest.mark.needs("otel")
Start = Callable[..., Command]
LINE = {"channel": "log", "recipient": "somebody", "payload": None}


@pytest.fixture
def collector() -> Iterator[Any]:
    """Run a collector that takes everything."""
    from tests.collector import collecting

    with collecting() as collector:
        yield collector


def test_api_and_worker_make_one_trace_and_say_how_many_spans_went(
    start: Start, dsn: str, collector
) -> None:
    port, metrics_port = free_port(), free_port()
    env = {"DATABASE_URL": dsn, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    commands = [
        start("api", PORT=str(port), **env),
        start("worker", METRICS_PORT=str(metrics_port), **env),
    ]
    body = json.dumps(LINE).encode()
    headers = {"Content-Type": "application/json", "traceparent": GOOD}
    asked = Request(f"http://127.0.0.1:{port}/notify", body, headers)

    def accepted() -> bool:
        try:
            with urlopen(asked, timeout=LIMIT_S) as answer:
                return answer.status == 202
        except OSError:
            return False

    wait_for(accepted)
    wait_for(lambda: '"event":"sent"' in commands[1].output)
    with urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=LIMIT_S) as answer:
        assert b"spans_pushed_total" in answer.read()
    assert [command.stop(signal.SIGTERM) for command in commands] == [0, 0]
    [enqueue], [attempt] = collector.named("send log"), collector.named("process log")
    assert enqueue.trace_id.hex() == attempt.trace_id.hex() == TRACE
    assert attempt.parent_span_id == enqueue.span_id
    for command in commands:
        assert f'"trace_id":"{TRACE}"' in command.output


@pytest.mark.slow  # seconds pass
def test_a_collector_that_hangs_holds_up_no_exit(start: Start, dsn: str, db, collector) -> None:
    collector.answer = "hang"
    env = {"DATABASE_URL": dsn, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    command = start("worker", METRICS_PORT=str(free_port()), **env)
    ledger.enqueue(db)
    wait_for(lambda: collector.requests)
    assert command.stop(signal.SIGTERM) == 0  # it would hang for ever
    assert '"event":"sent"' in command.output
