"""What the leader's figures cost on a large backlog: gauges() and vitals(), again and again."""

import time

import psycopg

from load.bench.stack import Stack
from load.bench.table import Row

CALLS = 20
ANY = "select 1"
GAUGES = "select * from notify.gauges()"
VITALS = "select * from notify.vitals()"


def run(stack: Stack) -> Row:
    """Measure the slowest of some calls, right after the backlog came and once it is vacuumed."""
    rows = stack.options.backlog
    stack.fill(rows, "log", "bench")
    with psycopg.connect(stack.database_url, autocommit=True) as conn:
        fresh = slowest_ms(conn, GAUGES)
        conn.execute("vacuum (analyze) notify.notifications")
        gauges, vitals = slowest_ms(conn, GAUGES), slowest_ms(conn, VITALS)
        floor = slowest_ms(conn, ANY)
    return Row(
        what=f"gauges() with {rows:,} queued",
        figure=max(fresh, gauges, vitals),
        unit="ms",
        asked=50,
        ceiling=floor,
        ceiling_is=f"`{ANY}`, the slowest of {CALLS}, too",
        note=f"{fresh:.1f} ms before vacuum, {gauges:.1f} ms after; vitals() {vitals:.1f} ms",
    )


def slowest_ms(conn: "psycopg.Connection[tuple[object, ...]]", query: str) -> float:
    """Time calls in one session; the first of all reads what is not in memory."""
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        conn.execute(query).fetchall()
        times.append(time.perf_counter() - began)
    return max(times) * 1000
