"""From just before the POST to the arrival at the receiver, at 20 requests a second."""

import http.client
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import psycopg

from load.bench.processes import BenchError, until
from load.bench.stack import Role, Sink, Stack
from load.bench.table import Row

RATE = 20
WARM_UP = 10
SHARE = 4  # a p99 needs some hundred times
# An answer that nobody looks at shows here, and not in the arrivals.
SETTLED_MS = """
select percentile_cont(0.99) within group (
  order by extract(epoch from settled_at - created_at) * 1000)
from notify.notifications
"""


def run(stack: Stack) -> list[Row]:
    """Measure the whole road: API, doorbell, ready set, worker, sink."""
    count = int(stack.options.seconds * RATE * SHARE)
    with stack.sink() as sink:
        floor = floor_ms(stack, sink, count // SHARE)
        stack.clear()
        with stack.role("dispatcher"), stack.role("worker"), stack.role("api") as api:
            enqueue = enqueuer(api, sink)
            times = arrivals_ms(sink, WARM_UP, enqueue) and arrivals_ms(sink, count, enqueue)
    stack.drained_s(WARM_UP + count)
    settled_ms = stack.sql(SETTLED_MS)[0][0]
    p50, p99 = percentile(times, 50), percentile(times, 99)
    return [
        Row(
            what=f"enqueue to arrival at {RATE}/s, p50",
            figure=p50,
            unit="ms",
            asked_ratio=2.5,
            ceiling=floor,
            ceiling_is="one INSERT, then one POST by the same client",
        ),
        Row(
            what="… p99",
            figure=p99,
            unit="ms",
            asked_ratio=4.0,
            ceiling=p50,
            ceiling_is="the p50",
            note=f"of {count}, settled p99 {settled_ms:.1f} ms",
        ),
    ]


def enqueuer(api: Role, sink: Sink, **options: object) -> Callable[[], None]:
    """Make a function that POSTs a webhook whose arrival the sink will time."""
    send = poster(f"{api.url}/notify", 202)
    body = {"channel": "webhook", "recipient": f"{sink.url}/hook", **options}
    return lambda: send({**body, "payload": {"sent_ns": time.time_ns()}})


def floor_ms(stack: Stack, sink: Sink, count: int) -> float:
    """Return the median of what cannot be saved: a commit and a POST, one after the other."""
    stack.clear()
    send = poster(f"{sink.url}/hook", 200)
    with psycopg.connect(stack.database_url, autocommit=True) as conn:

        def enqueue() -> None:
            payload = {"sent_ns": time.time_ns()}
            conn.execute(
                "insert into notify.notifications (channel, recipient, payload)"
                " values ('log', 'bench', %s)",
                [json.dumps(payload)],
            )
            send(payload)

        return percentile(arrivals_ms(sink, count, enqueue), 50)


def poster(url: str, expected: int) -> Callable[[Any], None]:
    """Make a function that POSTs JSON on one kept connection."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)

    def send(body: Any) -> None:
        connection.request(
            "POST", parts.path, json.dumps(body), {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        answer.read()
        if answer.status != expected:
            raise BenchError(f"{url} answered {answer.status}")

    return send


def arrivals_ms(sink: Sink, count: int, enqueue: Callable[[], None]) -> list[float]:
    """Enqueue at the rate; returns the sorted times of all, as the sink took them."""
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
        enqueue()
    until(lambda: sink.ask()["arrived"] >= count, 30, f"{count} arrivals")
    return sorted(sink.ask("/forget")["latencies_ms"])


def percentile(values: list[float], share: int) -> float:
    """Give the value that this share of the sorted values does not exceed."""
    return values[min(len(values) - 1, len(values) * share // 100)]
