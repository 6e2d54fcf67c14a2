"""INSERTs by other systems, one row each: what the wake trigger costs their commits."""

from load.bench import pgbench
from load.bench.stack import PAYLOAD, Stack
from load.bench.table import Row

SHARE_ASKED = 0.9
INSERT = f"""
insert into notify.notifications (channel, recipient, payload) values ('log', 'bench', '{PAYLOAD}');
"""


def run_8(stack: Stack) -> Row:
    """Measure 8 clients."""
    return run(stack, 8)


def run_32(stack: Stack) -> Row:
    """Measure 32 clients."""
    return run(stack, 32)


def run(stack: Stack, clients: int) -> Row:
    """Measure with the trigger and without, with a dispatcher that listens in both cases."""
    with stack.role("dispatcher"):
        stack.sql("alter table notify.notifications disable trigger wake")
        try:
            without = rate(stack, clients)
        finally:
            stack.sql("alter table notify.notifications enable trigger wake")
        with_trigger = rate(stack, clients)
    return Row(
        what=f"INSERT by {clients} clients", figure=with_trigger, unit="/s",
        asked=SHARE_ASKED * without,
        ceiling=without, ceiling_is="pgbench, without the wake trigger",
    )


def rate(stack: Stack, clients: int) -> float:
    """Insert for a while; returns rows per second."""
    stack.clear()
    return pgbench.tps(stack, INSERT, "-c", clients, "-j", 2, "-T", int(stack.options.seconds))
