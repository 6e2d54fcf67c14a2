"""Measure a peer or us: jobs per second, from the first claim to the last one's end."""

import time
from collections.abc import Iterable
from contextlib import ExitStack

from load.bench import drain
from load.bench.peers.peer import Backlog, Peer, Settings
from load.bench.processes import BenchError, Running, running, until
from load.bench.stack import Sink, Stack, wait_until_sent

LIMIT_S = 300.0
LOOK_S = 0.005  # the end is seen so late at most


def ours(stack: Stack, backlog: Backlog) -> float:
    """Run `notify dispatcher` and `notify worker`, with default settings."""
    if backlog.url is None:
        return drain.drain(stack, with_redis=True)
    stack.fill(backlog.rows, "webhook", backlog.url)
    with stack.role("dispatcher"), stack.role("worker") as worker:
        wait_until_sent(worker, backlog.rows)
    return backlog.rows / stack.drained_s(backlog.rows)


def theirs(stack: Stack, peer: Peer, backlog: Backlog, settings: Settings) -> float:
    """Run the peer's worker processes. Raises BenchError if its ledger counts another number."""
    peer.fill(backlog)
    with ExitStack() as exits:
        workers = [
            exits.enter_context(
                running(peer.command(backlog, settings), f"{peer.name}-{number}", stack.directory)
            )
            for number in range(settings["processes"])
        ]
        until(
            lambda: all_alive(workers) and peer.is_empty(), LIMIT_S, f"{peer.name} is done", LOOK_S
        )
        ended = time.time()
    if (succeeded := peer.succeeded(backlog)) != backlog.rows:
        raise BenchError(f"{backlog.rows} for {peer.name}, but {succeeded} succeeded")
    began = first_claim(worker.stdout.read_text() for worker in workers)
    return backlog.rows / (ended - began)


def all_alive(workers: list[Running]) -> bool:
    """Say that all of them run. Raises BenchError with the words of one that has ended."""
    for worker in workers:
        worker.check()
    return True


def first_claim(outputs: Iterable[str]) -> float:
    """Read the first claim of all processes; a process that got no job prints nothing."""
    return min(float(line) for output in outputs for line in output.splitlines())


def check(sink: Sink, backlog: Backlog) -> None:
    """Raise BenchError unless the sink has got each id once, signed."""
    counts = sink.ask()
    if any(counts[name] != backlog.rows for name in ("arrived", "distinct", "signed")):
        raise BenchError(f"{backlog.rows} delivered, but the sink has {counts}")
