"""What one webhook costs PostgreSQL on its whole road: WAL, commits, statements.

Batches are as they come here. tests/integration/test_cost.py holds what each step costs, in batches
of one size.
"""

import json
from dataclasses import dataclass

import psycopg

from load.bench.enqueue import CONNECTIONS, post
from load.bench.processes import BenchError
from load.bench.stack import PAYLOAD, Stack, wait_until_sent
from load.bench.table import Row
from load.bench.timed import timed

READ = """
select pg_current_wal_insert_lsn() - '0/0'::pg_lsn, xact_commit
from pg_stat_database where datname = current_database()
"""
INSERT = "insert into notify.notifications (channel, recipient, payload) values (%s, %s, %s)"
FLOOR_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Cost:
    """What one notification costs."""

    wal_bytes: float
    commits: float
    statements: float


def run(stack: Stack) -> list[Row]:
    """Compare the road from POST to settle with an INSERT alone."""
    with stack.sink() as sink:
        rows, road = of_road(stack, f"{sink.url}/hook")
        counts = sink.ask()
    if counts["distinct"] != rows:
        raise BenchError(f"{rows} sent, but the sink has {counts['distinct']}")
    floor = of_insert(stack, f"{sink.url}/hook")
    note = f"{rows:,} POSTs by {CONNECTIONS} connections"
    return [
        row("WAL of one webhook", road.wal_bytes, "bytes", floor.wal_bytes, note),
        row("commits of one webhook", road.commits, "", floor.commits, note),
        row("statements of one webhook", road.statements, "", floor.statements, note),
    ]


def row(what: str, figure: float, unit: str, floor: float, note: str) -> Row:
    return Row(
        what=what, figure=figure, unit=unit, ceiling=floor, ceiling_is="its INSERT alone", note=note
    )


def of_road(stack: Stack, url: str) -> tuple[int, Cost]:
    """POST for a while and let all be sent; return how many, and what each cost."""
    body = {"channel": "webhook", "recipient": url, "payload": json.loads(PAYLOAD)}
    stack.clear()
    with timed(stack) as log:
        # The figures are read when the roles are gone: a session counts its last commits late.
        wal, commits = stack.sql(READ)[0]
        with stack.role("dispatcher"), stack.role("worker") as worker, stack.role("api") as api:
            accepted = post(
                api.url, stack.options.seconds, CONNECTIONS, "--body", json.dumps(body)
            )["accepted"]
            rows = int(accepted)
            wait_until_sent(worker, rows)
        statements = len(log.since())
    wal_after, commits_after = stack.sql(READ)[0]
    stack.drained_s(rows)
    return rows, Cost(
        float(wal_after - wal) / rows, (commits_after - commits) / rows, statements / rows
    )


def of_insert(stack: Stack, url: str) -> Cost:
    """Insert the same row, each in a commit of its own; return what one costs."""
    stack.clear()
    with psycopg.connect(stack.database_url, autocommit=True) as conn:
        conn.execute("set notify.wake = off")
        before = conn.execute(READ).fetchall()[0][0]
        for _ in range(FLOOR_ROWS):
            conn.execute(INSERT, ["webhook", url, PAYLOAD])
        after = conn.execute(READ).fetchall()[0][0]
    return Cost(float(after - before) / FLOOR_ROWS, 1.0, 1.0)
