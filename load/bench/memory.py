"""The memory of one worker that has a large backlog before it."""

import time
from pathlib import Path

from load.bench.processes import BenchError
from load.bench.stack import Role, Stack, wait_until_sent
from load.bench.table import Row

MB = 1_000_000


def run(stack: Stack) -> Row:
    """Drain a while from a large backlog, and compare the peak with a worker that has no work."""
    stack.clear()
    with stack.role("dispatcher"), stack.role("worker", WORKER_PROCESSES="1") as worker:
        time.sleep(1)
        idle = peak_mb(worker)
    stack.fill(stack.options.backlog, "log", "bench")
    with stack.role("dispatcher"), stack.role("worker", WORKER_PROCESSES="1") as worker:
        wait_until_sent(worker, 1)
        time.sleep(stack.options.seconds)
        sent, peak = worker.metric("worker_jobs_sent_total"), peak_mb(worker)
    return Row(
        what=f"worker's memory, backlog {stack.options.backlog:,}",
        figure=peak,
        unit="MB",
        asked=150,
        ceiling=idle,
        ceiling_is="the same worker without work",
        note=f"peak while it sent {sent:,.0f}",
    )


def peak_mb(role: Role) -> float:
    """Read the peak of its resident memory. Raises BenchError where there is no /proc."""
    try:
        status = Path(f"/proc/{role.running.process.pid}/status").read_text()
    except OSError as error:
        raise BenchError(f"only Linux tells: {error}") from error
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / MB
