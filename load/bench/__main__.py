"""Measure everything in one run: python -m load.bench."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import psycopg

from load.bench import (
    backlog,
    batch,
    cost,
    drain,
    enqueue,
    gauges,
    idle,
    inserts,
    keyed,
    latency,
    memory,
    odd_input,
    pauses,
    screens,
    snapshot,
    soak,
    starving,
    urgent,
    watch,
    webhooks,
)
from load.bench.origin import origin, spelled_origin
from load.bench.processes import BenchError
from load.bench.stack import Options, Stack, scratch_stack
from load.bench.table import Row, as_json, middle, table

Scenario = Callable[[Stack], Row | list[Row]]
SCENARIOS: dict[str, Scenario] = {
    "drain": drain.run,
    "drain-no-redis": drain.run_without_redis,
    "webhooks": webhooks.run,
    "slow": webhooks.run_slow,
    "starving": starving.run,
    "enqueue": enqueue.run,
    "keyed": keyed.run,
    "batch": batch.run,
    "latency": latency.run,
    "urgent": urgent.run,
    "inserts-8": inserts.run_8,
    "inserts-32": inserts.run_32,
    "cost": cost.run,
    "memory": memory.run,
    "idle": idle.run,
    "gauges": gauges.run,
    "odd-input": odd_input.run,
    "watch-none": watch.run_none,
    "watch-all": watch.run_all,
    "pauses": pauses.run,
    "screens": screens.run,
    "backlog": backlog.run,
    "snapshot": snapshot.run,
    "soak": soak.run,
}
LONG = (
    "pauses",
    "screens",
    "backlog",
    "snapshot",
    "soak",
)  # minutes each: only when they are named


def main() -> int:
    """Run what is asked for; 0: every figure is what was asked for, 1: one is not, 2: no figure."""
    args = parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    quick = args.quick
    options = Options(
        seconds=args.seconds or (2.0 if quick else 5.0),
        rows=args.rows or (20_000 if quick else 60_000),
        backlog=args.backlog or (100_000 if quick else 1_000_000),
        long_seconds=args.seconds or (10.0 if quick else 60.0),
    )
    say(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} before the start")
    rows: list[Row] = []
    failed = 0
    with scratch_stack(options) as stack:
        for name in args.only:
            try:
                rows += median(stack, SCENARIOS[name], args.runs)
            except (BenchError, psycopg.Error) as error:
                failed += 1
                say(f"{name}: {error}")
            else:
                say(f"{name}: done, load {os.getloadavg()[0]:.1f}")
    where = origin()
    print(
        f"{spelled_origin(where)}, {args.runs} run{'s' * (args.runs > 1)} of each\n\n{table(rows)}"
    )
    if args.json:
        what = {"runs": args.runs, "options": asdict(options)}
        done = {**where, **what, "rows": [as_json(row) for row in rows]}
        args.json.write_text(json.dumps(done, indent=2) + "\n")
    return 2 if failed else int(any(row.good is False for row in rows))


def median(stack: Stack, scenario: Scenario, times: int) -> list[Row]:
    """Repeat a scenario, and keep of each row the run in the middle."""
    runs = []
    for _ in range(times):
        rows = scenario(stack)
        runs.append([rows] if isinstance(rows, Row) else rows)
    return middle(runs)


def parser() -> argparse.ArgumentParser:
    """Describe the options."""
    described = argparse.ArgumentParser(
        prog="python -m load.bench",
        description="Print rates of the real commands beside ceilings of the same run. "
        "Starts and stops everything itself, on loopback.",
    )
    described.add_argument(
        "--only",
        type=names,
        default=[name for name in SCENARIOS if name not in LONG],
        metavar="NAME,…",
        help=f"of {', '.join(SCENARIOS)}; without it all but {', '.join(LONG)}",
    )
    described.add_argument("--quick", action="store_true", help="take less of everything")
    described.add_argument(
        "--runs", type=int, default=1, metavar="N", help="of each; the one in the middle counts"
    )
    described.add_argument("--seconds", type=float, metavar="N", help="of what runs by the clock")
    described.add_argument("--rows", type=int, metavar="N", help="to drain")
    described.add_argument("--backlog", type=int, metavar="N", help="of memory, gauges and backlog")
    described.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    return described


def names(text: str) -> list[str]:
    """Parse names of scenarios; `inserts` stands for all that begin so."""
    chosen = [name for part in text.split(",") for name in SCENARIOS if name.startswith(part)]
    if not chosen:
        raise argparse.ArgumentTypeError(f"none of {', '.join(SCENARIOS)}")
    return chosen


def say(line: str) -> None:
    """Say how far we are, beside the table."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)  # everything is stopped by now
