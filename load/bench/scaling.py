"""What a second and a fourth process bring: rates, who takes the CPU, what PostgreSQL waits for.

    python -m load.bench.scaling [--rows 20000] [--seconds 5] [--workers 1,2,4] [--apis 1,2]

Prints the table of ops/SCALING.md. Each worker is a `notify worker` with WORKER_PROCESSES=1.
"""

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from load.bench.enqueue import CONNECTIONS, post
from load.bench.processes import Running, until
from load.bench.sessions import Seen, watched
from load.bench.stack import Options, Role, Stack, scratch_stack
from load.bench.usage import Usage, usage

ONE = {"WORKER_PROCESSES": "1"}
DRAIN_MAX_S = 120.0


HEAD = (
    "| what | rate | CPU of one, µs | cores | WAL of one | PostgreSQL's sessions |\n"
    "|---|---|---|---|---|---|"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run: what it was, how fast, what it used, what PostgreSQL's sessions did."""

    what: str
    rows: float
    seconds: float
    used: Usage
    seen: Seen

    def line(self, note: str = "") -> str:
        """Spell it as a row of a table."""
        cores = sum(self.used.cpu_s.values()) / self.seconds
        each = ", ".join(f"{role} {us:.0f}" for role, us in self.used.each_us(self.rows).items())
        return (
            f"| {self.what}{note} | {self.rows / self.seconds:,.0f}/s | {each} | {cores:.1f} "
            f"| {self.used.wal_bytes / self.rows:,.0f} B | {self.seen.spelled()} |"
        )


@contextmanager
def roles(stack: Stack, name: str, count: int, **env: str) -> Iterator[list[Role]]:
    """Run so many of one role."""
    with ExitStack() as running:
        yield [running.enter_context(stack.role(name, beside, **env)) for beside in range(count)]


def drained(
    stack: Stack, count: int, recipient: str = "", *others: Running, **env: str
) -> Measured:
    """Drain a backlog by so many workers: webhooks to a URL, else lines of `log`."""
    rows, channel = stack.options.rows, "webhook" if recipient else "log"
    with (
        roles(stack, "dispatcher", 1, **env) as one,
        roles(stack, "worker", count, **ONE, **env) as many,
    ):
        stack.fill(rows, channel, recipient or "bench")
        parts = {"worker": processes(many), "dispatcher": processes(one), **named(others)}
        before = usage(stack, parts)
        with watched(stack.database_url) as seen:
            until(lambda: sent(many) >= rows, DRAIN_MAX_S, f"{rows} sent")
        used = usage(stack, parts).since(before, seen.cpu_s)
    what = f"{channel}, {count} worker"
    return Measured(what=what, rows=rows, seconds=stack.drained_s(rows), used=used, seen=seen)


def sent(workers: list[Role]) -> float:
    """Add up what they have counted as sent."""
    return sum(worker.metric("worker_jobs_sent_total") for worker in workers)


def enqueued(stack: Stack, count: int, *others: Running, **env: str) -> Measured:
    """POST to so many API processes, each with its share of the connections."""
    stack.clear()
    with roles(stack, "dispatcher", 1, **env) as one, roles(stack, "api", count, **env) as many:
        parts = {"api": processes(many), "dispatcher": processes(one), **named(others)}
        before = usage(stack, parts)
        with watched(stack.database_url) as seen:
            rows = post_to(many, stack.options.seconds)
        used = usage(stack, parts).since(before, seen.cpu_s)
    seconds = stack.options.seconds
    what = f"POST /notify, {count} api"
    return Measured(what=what, rows=rows, seconds=seconds, used=used, seen=seen)


def post_to(apis: list[Role], seconds: float) -> float:
    """POST to all of them at once; return how many were accepted."""
    share = CONNECTIONS // len(apis)
    with ThreadPoolExecutor(len(apis)) as clients:
        asked = [clients.submit(post, api.url, seconds, share) for api in apis]
        return sum(counts.result()["accepted"] for counts in asked)


def processes(running: list[Role]) -> list[int]:
    return [role.running.process.pid for role in running]


def named(others: tuple[Running, ...]) -> dict[str, list[int]]:
    return {other.name: [other.process.pid] for other in others}


def main() -> None:
    """Measure and print."""
    args = parser().parse_args()
    options = Options(seconds=args.seconds, rows=args.rows, backlog=0, long_seconds=0)
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} before the start\n\n{HEAD}")
    with scratch_stack(options) as stack:
        for count in args.workers:
            print(drained(stack, count).line(), flush=True)
        with stack.sink() as sink:
            for count in args.workers:
                print(drained(stack, count, f"{sink.url}/hook").line(), flush=True)
        for count in args.apis:
            print(enqueued(stack, count).line(), flush=True)


def parser(name: str = "scaling") -> argparse.ArgumentParser:
    """Describe the options."""
    described = argparse.ArgumentParser(prog=f"python -m load.bench.{name}")
    described.add_argument("--rows", type=int, default=20_000, help="of each backlog")
    described.add_argument("--seconds", type=float, default=5.0, help="of POSTs")
    described.add_argument("--workers", type=counts, default=[1, 2, 4], metavar="N,…")
    described.add_argument("--apis", type=counts, default=[1, 2], metavar="N,…")
    return described


def counts(text: str) -> list[int]:
    """Parse numbers separated by commas."""
    return [int(word) for word in text.split(",")]


if __name__ == "__main__":
    main()
