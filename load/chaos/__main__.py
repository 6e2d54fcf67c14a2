"""Break everything at random for a while: python -m load.chaos --seconds 120 --seed 7.

Exit code 0: every promise was kept; 1: one was not, and is named; 2: the suite could not go on.
"""

import argparse
import json
import signal
import sys
from pathlib import Path
from random import Random

from load.chaos.faults import FAILOVER, FAULTS
from load.chaos.judge import judge
from load.chaos.processes import ChaosError
from load.chaos.report import Report, as_json, table
from load.chaos.schedule import play_all
from load.chaos.stand import Stand, scratch_stand

SETTLE_MAX_S = 90.0  # after the load: leases, reaper, backoff and what is to be sent later


def main() -> int:
    """Run, print the table, and say by the exit code whether all was well."""
    args = parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with scratch_stand(replica=bool(FAILOVER.keys() & args.faults)) as stand:
            try:
                report = run(stand, args)
            finally:
                if args.keep:
                    keep(stand, args.keep)
    except ChaosError as error:
        say(f"no result: {error}")
        return 2
    print(table(report))
    if args.json:
        args.json.write_text(json.dumps(as_json(report), indent=2) + "\n")
    return int(bool(report.broken))


def run(stand: Stand, args: argparse.Namespace) -> Report:
    """Load, break, wait until all has come to rest, and judge."""
    say(f"seed {args.seed}: {args.seconds:g} s, {args.rate:g} notifications a second")
    with stand.producing(args.seed, args.rate):
        wanted = [name for name in args.faults if name not in args.without]
        play_all(stand, Random(args.seed), wanted, args.seconds, say=say)
    rested_s = stand.rest(SETTLE_MAX_S)
    say(f"{rested_s:6.1f} s  until all was settled, or the wait was over")
    return Report(seed=args.seed, verdict=judge(stand), played=stand.played, stops=stand.stops)


def keep(stand: Stand, directory: Path) -> None:
    """Copy the logs and ledgers of the run."""
    directory.mkdir(parents=True, exist_ok=True)
    for file in (*stand.directory.glob("*.log"), *stand.directory.glob("*.jsonl")):
        (directory / file.name).write_bytes(file.read_bytes())


def parser() -> argparse.ArgumentParser:
    """Describe the options."""
    described = argparse.ArgumentParser(
        prog="python -m load.chaos",
        description="Break everything at random under load, and count what became of every"
        " notification. Starts and stops everything itself, on loopback.",
    )
    described.add_argument("--seconds", type=float, default=120.0, help="of load and faults")
    described.add_argument("--seed", type=int, default=7, help="of the faults and of the load")
    described.add_argument("--rate", type=float, default=200.0, help="notifications a second")
    described.add_argument(
        "--faults",
        type=names,
        default=list(FAULTS),
        metavar="NAME,…",
        help=f"of {', '.join(FAULTS | FAILOVER)}; all but failover, if not said",
    )
    described.add_argument("--without", type=names, default=[], metavar="NAME,…", help="not these")
    described.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    described.add_argument("--keep", type=Path, metavar="DIR", help="copy logs and ledgers there")
    return described


def names(text: str) -> list[str]:
    """Parse names of faults; a beginning stands for all that begin so."""
    chosen = [
        name
        for part in text.split(",")
        for name in ([part] if part in FAULTS else FAULTS | FAILOVER)
        if name.startswith(part)
    ]
    if not chosen:
        raise argparse.ArgumentTypeError(f"none of {', '.join(FAULTS | FAILOVER)}")
    return chosen


def say(line: str) -> None:
    """Tell how far we are, beside the table."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)  # everything is stopped by now
