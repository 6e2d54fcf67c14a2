"""INSERTs by other systems, one row each: what the wake trigger costs their commits.

Dispatcher and worker are at work on the same rows: the trigger meets the dispatcher as it would.
"""

from load.bench import pgbench
from load.bench.stack import PAYLOAD, Stack, wait_until_all_sent
from load.bench.table import Row

ORDER = (False, True, True, False)  # with the trigger or without: a drift hits both alike

INSERT = f"""
insert into notify.notifications (channel, recipient, payload) values ('log', 'bench', '{PAYLOAD}');
"""


def run_8(stack: Stack) -> Row:
    """Measure 8 clients."""
    return run(stack, 8, 0.9)


def run_32(stack: Stack) -> Row:
    """Measure 32 clients."""
    return run(stack, 32, 0.95)


def run(stack: Stack, clients: int, share: float) -> Row:
    """Measure with the trigger and without, in turns."""
    rates: dict[bool, list[float]] = {True: [], False: []}
    with stack.role("dispatcher"), stack.role("worker"):
        for wakes in ORDER:
            rates[wakes].append(rate(stack, clients, wakes=wakes))
    with_trigger, without = (sum(rates[wakes]) / len(rates[wakes]) for wakes in (True, False))
    return Row(
        what=f"INSERT by {clients} clients",
        figure=with_trigger,
        unit="/s",
        asked_ratio=share,
        ceiling=without,
        ceiling_is="pgbench, without the wake trigger",
    )


def rate(stack: Stack, clients: int, *, wakes: bool) -> float:
    """Insert for a while and let all of it be sent; returns rows per second."""
    stack.clear()
    stack.sql(f"alter table notify.notifications {'enable' if wakes else 'disable'} trigger wake")
    try:
        seconds = max(1, int(stack.options.seconds / 2))
        inserted = pgbench.tps(stack, INSERT, "-c", clients, "-j", 2, "-T", seconds)
        wait_until_all_sent(stack)
        return inserted
    finally:
        stack.sql("alter table notify.notifications enable trigger wake")
