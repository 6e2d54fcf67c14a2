"""Drain a backlog of the channel `log`: what the road costs without a provider."""

from contextlib import ExitStack

from load.bench import pgbench
from load.bench.processes import BenchError
from load.bench.stack import Stack, wait_until_sent
from load.bench.table import Row

BATCH_ROWS = 500
CLIENTS = 2  # as many connections as a worker has
CLAIM_AND_SETTLE = f"""
select array_agg(id) as ids, array_agg(attempt) as attempts from notify.claim(
  (select ids from bench_batches where number = (select nextval('bench_taken'))),
  {BATCH_ROWS}, 'pgbench', interval '30 s', 4, interval '1 hour', null) \\gset
select count(*) from notify.settle(:ids::uuid[], :attempts::integer[],
  array_fill('sent'::text, array[{BATCH_ROWS}]), array_fill(null::text, array[{BATCH_ROWS}]),
  array_fill(null::text, array[{BATCH_ROWS}]), array_fill(0, array[{BATCH_ROWS}]),
  array_fill(0, array[{BATCH_ROWS}]), array_fill(null::integer, array[{BATCH_ROWS}]),
  'pgbench', '{{}}', interval '1 hour');
"""


def run(stack: Stack) -> Row:
    """Drain through the ready set: `notify dispatcher` and one `notify worker`."""
    return row(stack, "drain of `log`", drain(stack, with_redis=True))


def run_without_redis(stack: Stack) -> Row:
    """Drain by claiming straight from PostgreSQL: `notify worker` alone."""
    return row(stack, "drain of `log`, no Redis", drain(stack, with_redis=False))


def row(stack: Stack, what: str, rate: float) -> Row:
    return Row(
        what=what,
        figure=rate,
        unit="/s",
        asked=10_000,
        asked_ratio=0.6,
        ceiling=ceiling(stack),
        ceiling_is=f"pgbench, claim + settle by {BATCH_ROWS}",
    )


def drain(stack: Stack, *, with_redis: bool) -> float:
    """Return notifications per second; the ledger and the written lines have to agree."""
    rows = stack.options.rows
    stack.fill(rows, "log", "bench")
    with ExitStack() as roles:
        if with_redis:
            roles.enter_context(stack.role("dispatcher"))
        env = {} if with_redis else {"REDIS_URL": ""}
        worker = roles.enter_context(stack.role("worker", **env))
        wait_until_sent(worker, rows)
    written = worker.running.stdout.read_bytes().count(b"\n")
    if written != rows:
        raise BenchError(f"{rows} sent, but {written} lines written")
    return rows / stack.drained_s(rows)


def ceiling(stack: Stack) -> float:
    """Return the rate at which pgbench moves the same rows by the same functions."""
    batches = stack.options.rows // BATCH_ROWS // CLIENTS * CLIENTS
    stack.fill(batches * BATCH_ROWS, "log", "bench")
    stack.sql("drop table if exists bench_batches")
    stack.sql(
        "create unlogged table bench_batches as select number, array_agg(id) as ids from"
        " (select id, 1 + (row_number() over (order by id) - 1) / %s as number"
        "  from notify.notifications) numbered group by number",
        BATCH_ROWS,
    )
    stack.sql("alter table bench_batches add primary key (number)")
    stack.sql("drop sequence if exists bench_taken")
    stack.sql("create sequence bench_taken")
    tps = pgbench.tps(
        stack, CLAIM_AND_SETTLE, "-c", CLIENTS, "-j", CLIENTS, "-t", batches // CLIENTS
    )
    stack.drained_s(batches * BATCH_ROWS)
    return tps * BATCH_ROWS
