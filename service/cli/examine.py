"""`notify doctor`."""

import argparse
import logging

from service.cli.running import on_our_loop
from service.cli.settings import settings_beside_up
from service.doctor import examine
from service.printable import printable


def run(args: argparse.Namespace) -> int:
    """Print one line per finding; 1 if something is to be done."""
    settings = settings_beside_up(args)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)

    async def look() -> int:
        worst = 0
        async for finding in examine(settings):
            mark = "FIX " if finding.advice else "fine"
            advice = f": {finding.advice}" if finding.advice else ""
            line = f"{mark}  {finding.what: <26} {finding.found}{advice}"
            print(printable(line), flush=True)
            worst = max(worst, int(bool(finding.advice)))
        return worst

    return on_our_loop(look())
