"""`notify doctor`."""

import argparse
from contextlib import aclosing
from dataclasses import asdict

from service.cli.output import show
from service.cli.running import on_our_loop
from service.cli.settings import settings_beside_up
from service.doctor.doctor import examine
from service.doctor.finding import Finding
from service.text.printable import printable


def run(args: argparse.Namespace) -> int:
    """Print one line per finding; 1 if something is to be done."""
    settings = settings_beside_up(args)

    async def look() -> int:
        findings = []
        async with aclosing(examine(settings)) as examined:
            async for finding in examined:
                findings.append(finding)
                if not args.json:
                    print(printable(line(finding)), flush=True)
        if args.json:
            show([asdict(finding) | {"is_fine": not finding.advice} for finding in findings])
        return int(any(finding.advice for finding in findings))

    return on_our_loop(look())


def line(finding: Finding) -> str:
    """Write a finding for people."""
    mark = "FIX " if finding.advice else "fine"
    advice = f": {finding.advice}" if finding.advice else ""
    return f"{mark}  {finding.what: <26} {finding.found}{advice}"
