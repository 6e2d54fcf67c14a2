"""What a million notifications that are paused cost all others."""

from statistics import median

import psycopg

from load.bench.latency import WARM_UP, arrivals_ms, enqueuer, percentile
from load.bench.processes import until
from load.bench.stack import PAYLOAD, Sink, Stack, wait_until_sent
from load.bench.table import Row

ROUNDS = 3  # of each; the median counts
COUNT = 200  # of a round's times
PAUSED = "http://127.0.0.2:9"
FILL = """
insert into notify.notifications (channel, recipient, payload)
select %s, %s, %s::jsonb from generate_series(1, %s)
"""
IS_ASIDE = """
select not exists (
  select from notify.notifications where status = 'queued' and due_at < '3000-01-01Z')
"""
RATE = """
select count(*) / extract(epoch from max(n.settled_at) - min(a.started_at))::float8
from notify.notifications n join notify.attempts a on a.notification_id = n.id
where n.channel = 'log'
"""
FORGET = """
with gone as (delete from notify.notifications where status = 'sent' returning id)
delete from notify.attempts where notification_id in (select id from gone)
"""


def run(stack: Stack) -> list[Row]:
    """Measure without them, and then beside them."""
    stack.clear()
    with stack.sink() as sink:
        alone = [measured(stack, sink) for _ in range(ROUNDS)]
        pause(stack, stack.options.backlog)
        beside = [measured(stack, sink) for _ in range(ROUNDS)]
    stack.sql("delete from notify.pauses")
    stack.clear()
    (rate, latency), (rate_beside, latency_beside) = (
        [median(values) for values in zip(*rounds, strict=True)] for rounds in (alone, beside)
    )
    return [
        Row(
            what=f"drain of `log` beside {stack.options.backlog:,} that are paused",
            figure=rate_beside,
            unit="/s",
            asked_ratio=0.9,
            ceiling=rate,
            ceiling_is=f"the same without them (medians of {ROUNDS} runs)",
        ),
        Row(
            what="… enqueue to arrival at 20/s, p50",
            figure=latency_beside,
            unit="ms",
            asked_ratio=1.1,
            ceiling=latency,
            ceiling_is="the same without them",
        ),
    ]


def measured(stack: Stack, sink: Sink) -> tuple[float, float]:
    """Return the rate of a drain, and the p50 of the way of one, in ms."""
    insert(stack, "log", "bench", stack.options.rows)
    with stack.role("dispatcher"), stack.role("worker") as worker:
        wait_until_sent(worker, stack.options.rows)
    [(rate,)] = stack.sql(RATE)
    stack.sql(FORGET)
    with stack.role("dispatcher"), stack.role("worker"), stack.role("api") as api:
        enqueue = enqueuer(api, sink)
        times = arrivals_ms(sink, WARM_UP, enqueue) and arrivals_ms(sink, COUNT, enqueue)
    stack.sql(FORGET)
    return rate, percentile(times, 50)


def pause(stack: Stack, rows: int) -> None:
    """Pause a destination, enqueue so many for it, and let the dispatcher set them aside."""
    stack.sql("select notify.pause('destination', %s)", PAUSED)
    insert(stack, "webhook", f"{PAUSED}/hook", rows)
    with stack.role("dispatcher"):
        until(lambda: stack.sql(IS_ASIDE)[0][0], 600, "all that is paused is set aside")
    with psycopg.connect(stack.database_url, autocommit=True) as conn:
        conn.execute("vacuum (analyze) notify.notifications")


def insert(stack: Stack, channel: str, recipient: str, rows: int) -> None:
    """Enqueue so many, all due, beside what is there."""
    with psycopg.connect(stack.database_url, autocommit=True) as conn:
        conn.execute("set notify.wake = off")
        conn.execute(FILL, [channel, recipient, PAYLOAD, rows])
