"""POST /notify/batch beside POST /notify: how much faster, and what single requests feel of it."""

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg

from load.bench.client import BODY
from load.bench.enqueue import post
from load.bench.processes import BenchError, run_module
from load.bench.stack import Stack
from load.bench.table import Row

ITEMS = 1000
CONNECTIONS = 2  # one batch is checked while the other is inserted
NEIGHBOURS = 8
TIMES_SINGLE = 3  # what the rate has to be, in rates of single requests


def run(stack: Stack) -> Row:
    """Measure single requests, batches, and both at once; every row has to be in the ledger."""
    seconds = stack.options.seconds
    stack.clear()
    with stack.role("dispatcher"), stack.role("api") as api, ThreadPoolExecutor(1) as beside:
        single = post(api.url, seconds)
        alone = post(api.url, seconds, NEIGHBOURS)
        batches = post_batches(api.url, seconds)
        stream = beside.submit(post_batches, api.url, seconds + 2.0)
        neighbours = post(api.url, seconds, NEIGHBOURS)
        counts = [single, alone, batches, neighbours, stream.result()]
    accepted = sum(count["accepted"] for count in counts)
    in_ledger = stack.sql("select count(*) from notify.notifications")[0][0]
    if in_ledger != accepted:
        raise BenchError(f"{accepted} accepted, but {in_ledger} in the ledger")
    return Row(
        what=f"POST /notify/batch, {ITEMS:,} each",
        figure=batches["rate"],
        unit="/s",
        asked=TIMES_SINGLE * single["rate"],
        ceiling=insert(stack, seconds),
        ceiling_is="enqueue_all() by one SQL session",
        note=f"{batches['rate'] / single['rate']:.1f} times single POSTs, whose p99 beside it is"
        f" {neighbours['p99_ms']:.0f} ms, else {alone['p99_ms']:.0f}",
    )


def post_batches(url: str, seconds: float) -> dict[str, float]:
    """POST batches for so long. Raises BenchError if one is not accepted whole."""
    counts = run_module(
        "client", f"{url}/notify/batch", "--items", ITEMS, "--connections", CONNECTIONS,
        "--seconds", seconds,
    )  # fmt: skip
    if counts["refused"]:
        raise BenchError(f"{counts['refused']} batches were not accepted")
    return counts


def insert(stack: Stack, seconds: float) -> float:
    """Insert the same rows without HTTP; returns rows a second."""
    rows = f"[{','.join([BODY.decode()] * ITEMS)}]"
    with psycopg.connect(stack.database_url, autocommit=True) as conn:
        began = time.perf_counter()
        calls = 0
        while time.perf_counter() - began < seconds:
            conn.execute("select ord, id, created_at from notify.enqueue_all(%s::jsonb)", [rows])
            calls += 1
        return calls * ITEMS / (time.perf_counter() - began)
