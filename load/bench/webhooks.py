"""Deliver a backlog of webhooks to a real receiver, quick or slow."""

from load.bench.processes import BenchError, run_module
from load.bench.stack import Sink, Stack, wait_until_sent
from load.bench.table import Row

NUM_THREADS = 2
IN_FLIGHT = 32  # on each thread of the bare loop: more is slower
SLOW_IN_FLIGHT = 256  # as SENDS_PER_THREAD
SLOW_S = 1.0


def run(stack: Stack) -> Row:
    """Deliver as fast as possible."""
    rows = stack.options.rows * 2 // 3
    with stack.sink() as sink:
        bare = bare_loop(sink, rows, IN_FLIGHT)
        rate = deliver(stack, sink, rows)
    return Row(
        what="webhooks, signed",
        figure=rate,
        unit="/s",
        asked=8_000,
        ceiling=bare,
        ceiling_is=f"bare CurlMulti, {NUM_THREADS} x {IN_FLIGHT} in flight",
    )


def run_slow(stack: Stack) -> Row:
    """Deliver to an endpoint that takes a second for each answer."""
    rows = stack.options.rows // 20
    with stack.sink(SLOW_S) as sink:
        bare = bare_loop(sink, rows, SLOW_IN_FLIGHT)
        rate = deliver(stack, sink, rows)
    return Row(
        what=f"webhooks, endpoint takes {SLOW_S:g} s",
        figure=rate,
        unit="/s",
        asked=200,
        asked_ratio=0.85,
        ceiling=bare,
        ceiling_is=f"bare CurlMulti, {NUM_THREADS} x {SLOW_IN_FLIGHT} in flight",
    )


def bare_loop(sink: Sink, posts: int, in_flight: int) -> float:
    """Return the rate of the same POSTs without a ledger."""
    counts = run_module(
        "curl_loop",
        f"{sink.url}/hook",
        "--posts",
        posts,
        "--threads",
        NUM_THREADS,
        "--in-flight",
        in_flight,
    )
    if counts["answered"] != sink.ask("/forget")["arrived"]:
        raise BenchError("the bare loop and the sink do not agree")
    return float(counts["rate"])


def deliver(stack: Stack, sink: Sink, rows: int) -> float:
    """Return notifications per second; ledger and sink have to agree, each once and signed."""
    stack.fill(rows, "webhook", f"{sink.url}/hook")
    threads = {"NUM_THREADS": str(NUM_THREADS)}
    with stack.role("dispatcher"), stack.role("worker", **threads) as worker:
        wait_until_sent(worker, rows)
    counts = sink.ask()
    if any(counts[name] != rows for name in ("arrived", "distinct", "signed")):
        raise BenchError(f"{rows} sent, but the sink has {counts}")
    return rows / stack.drained_s(rows)
