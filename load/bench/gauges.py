"""What the leader's figures cost on a large backlog: gauges() and vitals(), again and again."""

import time
from statistics import median

import psycopg

from load.bench.stack import Stack
from load.bench.table import Row

CALLS = 20
ANY = "select 1"
GAUGES = "select * from notify.gauges()"
VITALS = "select * from notify.vitals()"


def run(stack: Stack) -> Row:
    """Measure calls right after the backlog came and once it is vacuumed; the dearer state counts.

    The first call reads what is not in memory yet, and is the slowest: it is in the note.
    """
    stack.fill(stack.options.backlog, "log", "bench")
    return measured(stack)


def measured(stack: Stack) -> Row:
    """Measure on what the ledger holds now."""
    with psycopg.connect(stack.database_url, autocommit=True) as conn:
        fresh = times_ms(conn, GAUGES)
        conn.execute("vacuum (analyze) notify.notifications")
        vacuumed, vitals = times_ms(conn, GAUGES), times_ms(conn, VITALS)
        floor = times_ms(conn, ANY)
    return Row(
        what=f"gauges() with {stack.options.backlog:,} queued",
        figure=max(median(fresh), median(vacuumed)),
        unit="ms",
        asked=50,
        ceiling=median(floor),
        ceiling_is=f"`{ANY}`",
        note=f"before vacuum {spelled(fresh)}, after {spelled(vacuumed)},"
        f" vitals() {spelled(vitals)}",
    )


def times_ms(conn: "psycopg.Connection[tuple[object, ...]]", query: str) -> list[float]:
    """Time calls in one session."""
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        conn.execute(query).fetchall()
        times.append((time.perf_counter() - began) * 1000)
    return times


def spelled(times: list[float]) -> str:
    """Spell a median and the slowest."""
    return f"{median(times):.1f} (slowest {max(times):.1f}) ms"
