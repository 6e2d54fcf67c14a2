"""A snapshot that somebody holds open under load, as a long report or a backup does.

No dead row can be removed while it is held. The times of claims are PostgreSQL's own.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from load.bench.latency import percentile
from load.bench.processes import BenchError
from load.bench.stack import Stack, wait_until_all_sent, wait_until_sent
from load.bench.stream import streaming
from load.bench.table import Row
from load.bench.timed import Log, timed

RATE = 1000  # webhooks a second
BESIDE_SHARE = 4  # before and after take a fourth of the time each
BESIDE_MIN_S = 4.0
MORE_MS, BACK_MS = 20.0, 5.0  # what it may cost while it is held, and what may be left of it
DEAD = "select sum(n_dead_tup)::bigint from pg_stat_user_tables where schemaname = 'notify'"


def run(stack: Stack) -> list[Row]:
    """Measure claims before, at the end of the time in which it is held, and after."""
    seconds = stack.options.long_seconds
    beside_s = max(BESIDE_MIN_S, seconds / BESIDE_SHARE)
    stack.clear()
    with (
        stack.sink() as sink,
        timed(stack) as log,
        stack.role("dispatcher"),
        stack.role("worker") as worker,
    ):
        with streaming(stack, f"{sink.url}/hook", RATE):
            wait_until_sent(worker, RATE)
            before = claims_ms(log, beside_s)
            with held(stack):
                time.sleep(max(0.0, seconds - beside_s))
                during = claims_ms(log, min(seconds, beside_s))
                [(dead,)] = stack.sql(DEAD)
            time.sleep(beside_s / 2)
            after = claims_ms(log, beside_s / 2)
        wait_until_all_sent(stack)
    p99 = [percentile(times, 99) for times in (before, during, after)]
    note = f"{RATE}/s; p50 {', '.join(f'{percentile(t, 50):.1f}' for t in (before, during, after))}"
    return [
        Row(
            what=f"claim p99 while a snapshot is held for {seconds:g} s",
            figure=p99[1],
            unit="ms",
            asked=p99[0] + MORE_MS,
            ceiling=p99[0],
            ceiling_is="before it",
            note=f"{note} ms; {dead:,} dead rows at its end",
        ),
        Row(
            what="… when it is gone",
            figure=p99[2],
            unit="ms",
            asked=p99[0] + BACK_MS,
            ceiling=p99[0],
            ceiling_is="before it",
        ),
    ]


@contextmanager
def held(stack: Stack) -> Iterator[None]:
    """Hold a snapshot until the context ends."""
    with psycopg.connect(stack.database_url) as conn:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        conn.execute("select count(*) from notify.quiet_days")
        yield


def claims_ms(log: Log, seconds: float) -> list[float]:
    """Return the sorted times of the claims of the next seconds."""
    log.since()
    time.sleep(seconds)
    times = sorted(s.took_ms for s in log.since() if "notify.claim(" in s.text)
    if not times:
        raise BenchError("the log has no claim")
    return times
