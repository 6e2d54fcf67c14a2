"""What a large backlog changes: the drain's rate, the leader's figures, Redis, and the doctor."""

import os
import subprocess
import time

import redis

from load.bench import gauges
from load.bench.proc import MB
from load.bench.processes import BenchError, until
from load.bench.stack import NOTIFY, Stack
from load.bench.table import Row

ROWS_MIN = 20_000  # twice what the ready set holds of a lane
DRAIN_MAX_S = 300.0
DOCTOR_MAX_S = 60.0
LOOKS = 3  # of the doctor: the one in the middle counts
RATE = """
select count(*), extract(epoch from max(started_at + took_ms * interval '1 ms') - min(started_at))
from notify.attempts
"""


def run(stack: Stack) -> list[Row]:
    """Measure an empty ledger first, then one with the backlog, all of it due."""
    rows, backlog = max(stack.options.rows, ROWS_MIN), stack.options.backlog
    stack.clear()
    doctor = doctor_s(stack)
    stack.fill(rows, "log", "bench")
    rate, memory = drain(stack, rows)
    stack.fill(backlog, "log", "bench")
    figures = gauges.measured(stack)
    doctor_beside = doctor_s(stack)
    rate_beside, memory_beside = drain(stack, rows)
    return [
        Row(
            what=f"drain of `log`, the first {rows:,} of {backlog:,}",
            figure=rate_beside,
            unit="/s",
            asked_ratio=0.9,
            ceiling=rate,
            ceiling_is="the same rows alone in the ledger",
        ),
        figures,
        Row(
            what=f"Valkey's memory while {backlog:,} are due",
            figure=memory_beside,
            unit="MB",
            asked_ratio=1.1,
            ceiling=memory,
            ceiling_is=f"while {rows:,} are",
        ),
        Row(
            what=f"`notify doctor` with {backlog:,} queued",
            figure=doctor_beside,
            unit="s",
            asked=2.0,
            ceiling=doctor,
            ceiling_is="with an empty ledger",
        ),
    ]


def drain(stack: Stack, rows: int) -> tuple[float, float]:
    """Send so many; return the rate by the ledger, and the most memory that Valkey used, in MB."""
    used = [0.0]
    with (
        redis.Redis.from_url(stack.redis_url) as ready_set,
        stack.role("dispatcher"),
        stack.role("worker") as worker,
    ):

        def is_done() -> bool:
            used.append(ready_set.info("memory")["used_memory"] / MB)
            return worker.metric("worker_jobs_sent_total") >= rows

        until(is_done, DRAIN_MAX_S, f"{rows} sent")
    [(attempts, seconds)] = stack.sql(RATE)
    [(sent,)] = stack.sql("select count(*) from notify.notifications where status = 'sent'")
    if sent != attempts:
        raise BenchError(f"{sent} sent in {attempts} attempts")
    return attempts / float(seconds), max(used)


def doctor_s(stack: Stack) -> float:
    """Time `notify doctor`, whatever it finds: no role runs, and it says so."""
    env = {"DATABASE_URL": stack.database_url, "REDIS_URL": stack.redis_url}
    times = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        done = subprocess.run(
            [NOTIFY, "doctor"],
            cwd=stack.directory,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=DOCTOR_MAX_S,
        )
        times.append(time.perf_counter() - began)
        if "oldest due" not in done.stdout:
            raise BenchError(f"notify doctor: {(done.stderr or done.stdout)[-2000:]}")
    return sorted(times)[LOOKS // 2]
