"""Urgent notifications while a backlog of bulk drains: do they pass it?"""

import time

from load.bench.latency import RATE, arrivals_ms, enqueuer, percentile
from load.bench.processes import BenchError
from load.bench.stack import Role, Sink, Stack, wait_until_all_sent
from load.bench.table import Row

BULK, URGENT = 3, 0
ARRIVE_MAX_S = 120.0


def run(stack: Stack) -> Row:
    """Send urgent ones at a steady rate, first alone, then for as long as the bulk lasts."""
    bulk = stack.options.rows * 5 // 3
    stack.clear()
    with stack.sink() as sink, stack.role("dispatcher"), stack.role("api") as api:
        with stack.role("worker"):
            alone = arrivals_ms(
                sink, int(stack.options.seconds * RATE), enqueuer(api, sink, priority=URGENT)
            )
        stack.fill(bulk, "webhook", f"{sink.url}/hook", BULK)
        with stack.role("worker"):
            beside = beside_bulk(sink, api, bulk)
            wait_until_all_sent(stack)
    return Row(
        what=f"urgent at {RATE}/s beside {bulk:,} of bulk, p99",
        figure=percentile(beside, 99),
        unit="ms",
        asked=50,
        ceiling=percentile(alone, 99),
        ceiling_is="the same without the bulk",
        note=f"p50 {percentile(beside, 50):.1f} ms of {len(beside)}",
    )


def beside_bulk(sink: Sink, api: Role, bulk: int) -> list[float]:
    """Return the sorted times of those that arrived before the last of the bulk."""
    enqueue = enqueuer(api, sink, priority=URGENT)
    times: list[float] = []
    ends = time.monotonic() + ARRIVE_MAX_S
    while True:
        counts = sink.ask()
        timed = counts["latencies_ms"]
        if counts["arrived"] - len(timed) >= bulk:
            break
        if time.monotonic() > ends:
            raise BenchError(f"{bulk} of bulk did not arrive within {ARRIVE_MAX_S:g} s")
        times = timed
        began = time.monotonic()
        for number in range(1, RATE // 4 + 1):
            enqueue()
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
    if not times:
        raise BenchError("the bulk was gone before an urgent one arrived")
    return sorted(times)
