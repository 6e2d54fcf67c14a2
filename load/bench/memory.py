"""The memory of each role that has a large backlog before it."""

import time
from contextlib import ExitStack

from load.bench.enqueue import post
from load.bench.proc import peak_mb
from load.bench.stack import Role, Stack, wait_until_sent
from load.bench.table import Row

ROLES = ("api", "dispatcher", "worker")


def run(stack: Stack) -> list[Row]:
    """Work a while on a large backlog, and compare the peaks with the same roles without work."""
    stack.clear()
    with ExitStack() as exits:
        idle = {name: exits.enter_context(stack.role(name)) for name in ROLES}
        time.sleep(1)
        floors = peaks(idle)
    backlog = stack.options.backlog
    stack.fill(backlog, "log", "bench")
    with ExitStack() as exits:
        roles = {name: exits.enter_context(stack.role(name)) for name in ROLES}
        wait_until_sent(roles["worker"], 1)
        accepted = post(roles["api"].url, stack.options.seconds)["accepted"]
        sent, highest = roles["worker"].metric("worker_jobs_sent_total"), peaks(roles)
    return [
        Row(
            what=f"memory of `notify {name}`, backlog {backlog:,}",
            figure=highest[name],
            unit="MB",
            asked=120,
            ceiling=floors[name],
            ceiling_is="the same without work",
            note=f"peak while {accepted:,} were accepted and {sent:,.0f} sent",
        )
        for name in ROLES
    ]


def peaks(roles: dict[str, Role]) -> dict[str, float]:
    """Read the peak of each role's largest process."""
    return {name: peak_mb(role.running.process.pid) for name, role in roles.items()}
