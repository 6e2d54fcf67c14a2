"""Deliver to a quick receiver beside one that never answers: what is left of its rate?"""

from load.bench.processes import until
from load.bench.stack import Sink, Stack
from load.bench.table import Row

NUM_THREADS = 8
HANGS_S = 3600.0
LIMIT_S = 120.0
FILL = """
insert into notify.notifications (channel, recipient, payload)
select 'webhook', url, '{}' from generate_series(1, %s) as n,
  unnest(case when n %% %s = 0 then array[%s, %s] else array[%s] end) as url
"""
SENDING_S = """
select extract(epoch from max(settled_at) - min(a.started_at))::float8
from notify.notifications n join notify.attempts a on a.notification_id = n.id
where n.status = 'sent'
"""


def run(stack: Stack) -> Row:
    """A third of the notifications goes to an endpoint that hangs until the deadline."""
    rows = stack.options.rows
    with stack.sink() as sink, stack.sink(HANGS_S) as hanging:
        alone = deliver(stack, sink, hanging, rows, every=rows + 1)
        beside = deliver(stack, sink, hanging, rows, every=2)
    return Row(
        what="webhooks to the others, beside one endpoint that hangs",
        figure=beside,
        unit="/s",
        asked_ratio=0.8,
        ceiling=alone,
        ceiling_is=f"the same without it, NUM_THREADS={NUM_THREADS}",
    )


def deliver(stack: Stack, sink: Sink, hanging: Sink, rows: int, every: int) -> float:
    """Return how many of the others are sent in a second; each `every`-th has one that hangs."""
    stack.clear()
    sink.ask("/forget")
    quick = f"{sink.url}/hook"
    stack.sql(FILL, rows, every, quick, f"{hanging.url}/hook", quick)
    env = {"NUM_THREADS": str(NUM_THREADS), "SHUTDOWN_GRACE_S": "0"}
    with stack.role("dispatcher"), stack.role("worker", **env):
        until(lambda: sink.ask()["arrived"] >= rows, LIMIT_S, f"{rows} arrived")
        until(lambda: sent(stack) >= rows, LIMIT_S, f"{rows} sent")
    return rows / float(stack.sql(SENDING_S)[0][0])


def sent(stack: Stack) -> int:
    """Count what the ledger calls sent."""
    return int(stack.sql("select count(*) from notify.notifications where status = 'sent'")[0][0])
