"""How many bytes a notification that was sent keeps on disk, and writes into the WAL.

    python -m load.bench.sizes [--rows 20000] [--payloads 60,1000,8000]

Webhooks are enqueued by 100 and sent at once, by the real roles; a VACUUM follows each tenth of
them, as autovacuum would on a day with more. Payloads do not compress: real ones may.
"""

import argparse
import json
import os

import psycopg

from load.bench.processes import until
from load.bench.scaling import DRAIN_MAX_S, counts
from load.bench.stack import Options, Sink, Stack, scratch_stack
from load.bench.usage import WAL

ROUNDS = 10
OF_ONE_COMMIT = 100
INSERT = """
insert into notify.notifications (channel, recipient, payload, reference)
select 'webhook', %s, %s::jsonb, 'order-' || %s || '-' || n from generate_series(1, %s) as n
"""
KEPT = """
select sum(pg_relation_size(relid)), sum(pg_table_size(relid) - pg_relation_size(relid)),
  sum(pg_indexes_size(relid))
from pg_partition_tree(%s) where isleaf
"""


def run(stack: Stack, sink: Sink, payload_bytes: int) -> str:
    """Send so many with such a payload; return the row of the table."""
    stack.clear()
    rows = stack.options.rows // ROUNDS // OF_ONE_COMMIT * OF_ONE_COMMIT * ROUNDS
    with stack.role("dispatcher"), stack.role("worker") as worker:
        began = stack.sql(WAL)[0][0]
        with psycopg.connect(stack.database_url, autocommit=True) as conn:
            for done in range(rows // ROUNDS, rows + 1, rows // ROUNDS):
                enqueue(conn, f"{sink.url}/hook", payload_bytes, rows // ROUNDS)
                until(
                    lambda done=done: worker.metric("worker_jobs_sent_total") >= done,  # type: ignore[misc]
                    DRAIN_MAX_S,
                    f"{done} sent",
                )
                conn.execute("vacuum notify.notifications, notify.attempts")
        wal_bytes = stack.sql(WAL)[0][0] - began
    stack.drained_s(rows)
    tables = [*kept(stack, "notify.notifications"), *kept(stack, "notify.attempts")]
    figures = [size / rows for size in (*tables, sum(tables), float(wal_bytes))]
    return f"| {payload_bytes} | " + " | ".join(f"{figure:,.0f}" for figure in figures) + " |"


def enqueue(conn: "psycopg.Connection[object]", url: str, payload_bytes: int, rows: int) -> None:
    """Enqueue so many, by 100."""
    for number in range(rows // OF_ONE_COMMIT):
        payload = json.dumps({"text": os.urandom(payload_bytes // 2).hex()})
        conn.execute(INSERT, [url, payload, number, OF_ONE_COMMIT])


def kept(stack: Stack, table: str) -> list[float]:
    """Return the bytes of a table: its heap, its TOAST and maps, its indexes."""
    return [float(size) for size in stack.sql(KEPT, table)[0]]


def main() -> None:
    """Measure and print."""
    described = argparse.ArgumentParser(prog="python -m load.bench.sizes")
    described.add_argument("--rows", type=int, default=20_000)
    described.add_argument("--payloads", type=counts, default=[60, 1000, 8000], metavar="BYTES,…")
    args = described.parse_args()
    options = Options(seconds=0, rows=args.rows, backlog=0, long_seconds=0)
    print("Bytes of one. N: notifications, A: attempts; T: TOAST and maps\n")
    print("| payload | N heap | N T | N indexes | A heap | A T | A indexes | kept | WAL |")
    print("|---" * 9 + "|")
    with scratch_stack(options) as stack, stack.sink() as sink:
        for payload_bytes in args.payloads:
            print(run(stack, sink, payload_bytes), flush=True)


if __name__ == "__main__":
    main()
