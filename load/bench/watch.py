"""What a watch costs an UPDATE of 100,000 rows, beside the same UPDATE without one."""

import time
from statistics import median
from typing import Any

import psycopg

from load.bench.stack import Stack
from load.bench.table import Row

ROWS = 100_000
RUNS = 5
TABLE = """
drop table if exists public.items;
create table public.items (id int primary key, status text, total numeric(10, 2), note text,
  at timestamptz default now()) with (autovacuum_enabled = off);
insert into public.items
select i, 'open', i, 'a note of thirty characters', now() from generate_series(1, {rows}) as i
"""
WATCH = """
select notify.on_change('public.items', '{update}', 'webhook', 'https://example.org/hooks',
  condition => %s, reference => 'id')
"""
UPDATE = "update public.items set total = total + 1"
INSERT = """
insert into notify.notifications (channel, recipient, payload, reference)
select 'webhook', 'https://example.org/hooks', jsonb_build_object('table', 'public.items',
  'op', 'update', 'at', now(), 'old', to_jsonb(i), 'new', to_jsonb(i)), id::text
from public.items i
"""


def run_none(stack: Stack) -> Row:
    """Measure a condition that selects nothing."""
    return compared(stack, "new.total < 0", "a watch that tells nothing", 2.0, UPDATE)


def run_all(stack: Stack) -> Row:
    """Measure a watch that tells every row."""
    return compared(stack, None, "a watch that tells each row", 1.2, UPDATE, INSERT)


def compared(stack: Stack, condition: str | None, what: str, share_max: float, *floor: str) -> Row:
    """Take turns with the watch and without, each run rolled back; compare the medians."""
    stack.clear()
    with psycopg.connect(stack.database_url, autocommit=True) as conn:
        conn.execute(TABLE.format(rows=ROWS))
        watched: list[float] = []
        plain: list[float] = []
        for _ in range(RUNS):
            plain.append(took_ms(conn, *floor))
            [(watch,)] = conn.execute(WATCH, [condition]).fetchall()
            watched.append(took_ms(conn, UPDATE))
            conn.execute("select notify.off_change(%s)", [watch])
        conn.execute("drop table public.items")
    return Row(
        what=f"UPDATE of {ROWS:,} rows under {what}",
        figure=median(watched),
        unit="ms",
        asked_ratio=share_max,
        ceiling=median(plain),
        ceiling_is="the UPDATE without it" + (" and the same INSERT … SELECT" if floor[1:] else ""),
        note=f"medians of {RUNS} runs",
    )


def took_ms(conn: "psycopg.Connection[Any]", *statements: str) -> float:
    """Time statements in one transaction that is rolled back, on a table without dead rows."""
    conn.execute("vacuum (analyze) public.items")
    conn.execute("vacuum notify.notifications")
    with conn.transaction(force_rollback=True):
        began = time.perf_counter()
        for statement in statements:
            conn.execute(statement)
        return (time.perf_counter() - began) * 1000
