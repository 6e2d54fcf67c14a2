"""The CPU time that the whole service takes while nothing is to do."""

import time
from contextlib import ExitStack

from load.bench.memory import ROLES
from load.bench.proc import TICK_S, cpu_s, tree
from load.bench.stack import Stack
from load.bench.table import Row

SHARE = 4  # of a second each: a percent of a core is a tick of 10 ms per second
SETTLING_S = 3.0  # until what begins with a role is over


def run(stack: Stack) -> Row:
    """Measure PostgreSQL and Valkey alone, then with every role beside them."""
    seconds = stack.options.seconds * SHARE
    stack.clear()
    alone = sum(shares(stack, {}, seconds).values())
    with ExitStack() as exits:
        roles = {name: exits.enter_context(stack.role(name)).running.process.pid for name in ROLES}
        parts = shares(stack, roles, seconds)
    return Row(
        what="idle, all processes, of a core",
        figure=sum(parts.values()),
        unit="%",
        asked=1.0,
        ceiling=max(alone, 100 * TICK_S / seconds),
        ceiling_is="PostgreSQL and Valkey alone, one tick at least",
        note=", ".join(f"{name} {share:.2f}" for name, share in parts.items()),
    )


def shares(stack: Stack, roles: dict[str, int], seconds: float) -> dict[str, float]:
    """Return of each part the percent of a core that it takes."""
    time.sleep(SETTLING_S)
    parent = stack.services.process.pid
    before, began = times(parent, roles), time.monotonic()
    time.sleep(seconds)
    after, lasted = times(parent, roles), time.monotonic() - began
    return {name: 100 * (after[name] - before[name]) / lasted for name in after}


def times(parent: int, roles: dict[str, int]) -> dict[str, float]:
    """Read the CPU times of the servers, without the command that runs them, and of each role."""
    servers = [pid for pid in tree(parent) if pid != parent]
    return {
        "servers": cpu_s(servers),
        **{name: cpu_s(tree(pid)) for name, pid in roles.items()},
    }
