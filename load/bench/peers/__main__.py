"""Measure other queues beside us in the same run: python -m load.bench.peers."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from load.bench.peers.compare import Comparison, ranked, spelled
from load.bench.peers.ground import PEERS, Ground, ground
from load.bench.peers.install import install
from load.bench.peers.peer import Settings
from load.bench.processes import BenchError
from load.bench.table import table

MEASURES = ("webhooks", "drain")


def main() -> int:
    """Do what is asked for; 1: a ratio is too low, 2: there is no figure."""
    args = parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if args.verb == "install":
            install(args.folder)
            return 0
        with ground(args.folder.resolve(), args.peers, args.rows) as stands:
            if args.verb == "search":
                return search(stands, args.only, args.runs)
            return compare(stands, args.only, args.runs, args.json)
    except BenchError as error:
        say(str(error))
        return 2


def compare(stands: Ground, measures: Sequence[str], runs: int, file: Path | None) -> int:
    """Let us and the peers take turns."""
    comparisons: list[Comparison] = []
    failed = 0
    for measured in measures:
        try:
            comparisons += turns(stands, measured, runs)
        except BenchError as error:
            failed += 1
            say(f"{measured}: {error}")
    rows = [comparison.row() for comparison in comparisons]
    print(table(rows))
    if file:
        document = [comparison.as_json() for comparison in comparisons]
        file.write_text(json.dumps(document, indent=2) + "\n")
    return 2 if failed else int(any(row.good is False for row in rows))


def turns(stands: Ground, measured: str, runs: int) -> list[Comparison]:
    """Measure us, each peer, us, each peer, …"""
    ours: list[float] = []
    theirs: dict[str, list[float]] = {peer.name: [] for peer in stands.peers}
    for _ in range(runs):
        ours.append(stands.rate(measured, None))
        told(measured, "ours", ours[-1])
        for peer in stands.peers:
            theirs[peer.name].append(stands.rate(measured, peer))
            told(measured, peer.name, theirs[peer.name][-1])
    return [
        Comparison(
            measure=measured,
            peer=peer.name,
            title=peer.title,
            settings=peer.best[measured],
            ours=ours,
            theirs=theirs[peer.name],
        )
        for peer in stands.peers
    ]


def search(stands: Ground, measures: Sequence[str], runs: int) -> int:
    """Try each peer's grid of settings, and print the median rates, the fastest first."""
    for measured in measures:
        for peer in stands.peers:
            rates: list[tuple[Settings, list[float]]] = [(tried, []) for tried in peer.grid]
            for _ in range(runs):
                for tried, each in rates:
                    each.append(stands.rate(measured, peer, tried))
                    told(measured, f"{peer.name}, {spelled(tried)}", each[-1])
            for rate, tried in ranked(rates):
                print(f"{measured}  {peer.name}  {rate:8,.0f}/s  {spelled(tried)}", flush=True)
    return 0


def parser() -> argparse.ArgumentParser:
    """Describe the verbs and their options."""
    described = argparse.ArgumentParser(
        prog="python -m load.bench.peers",
        description="Measure Graphile Worker, PgQueuer and Dramatiq beside us in the same run.",
    )
    verbs = described.add_subparsers(dest="verb", required=True, metavar="VERB")
    installing = verbs.add_parser("install", help="install the peers outside of the repository")
    running = verbs.add_parser("run", help="compare: we and the peers take turns")
    searching = verbs.add_parser("search", help="try settings of each peer: takes half an hour")
    for options in (installing, running, searching):
        options.add_argument("folder", type=Path, help="where the peers are installed")
    for options, runs in ((running, 5), (searching, 1)):
        options.add_argument("--runs", type=int, default=runs, metavar="N", help="of each")
        add_amount(options)
    running.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    return described


def add_amount(options: argparse.ArgumentParser) -> None:
    """Add the options that `run` and `search` share."""
    options.add_argument(
        "--rows", type=int, default=60_000, metavar="N", help="no-ops; half as many webhooks"
    )
    for option, names in (("--only", MEASURES), ("--peers", PEERS)):
        options.add_argument(
            option,
            type=some_of(names),
            default=list(names),
            metavar="NAME,…",
            help=f"of {', '.join(names)}",
        )


def some_of(names: Sequence[str]) -> Callable[[str], list[str]]:
    """Make a parser of `NAME,…`."""

    def parse(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := [name for name in chosen if name not in names]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: none of {', '.join(names)}")
        return chosen

    return parse


def told(measured: str, who: str, rate: float) -> None:
    """Say one rate, beside the load of the machine."""
    say(f"{measured}, {who}: {rate:,.0f}/s, load {os.getloadavg()[0]:.1f}")


def say(line: str) -> None:
    """Say how far we are, beside the table."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)  # everything is stopped by now
