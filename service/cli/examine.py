"""`notify doctor`."""

import argparse
import asyncio
import logging

from service.cli.settings import required, settings_for
from service.doctor import examine


def run(args: argparse.Namespace) -> int:
    """Print one line per finding; 1 if something is to be done."""
    settings = settings_for(args)
    required(settings, "database_url")
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)

    async def look() -> int:
        worst = 0
        async for finding in examine(settings):
            mark = "FIX " if finding.advice else "fine"
            advice = f": {finding.advice}" if finding.advice else ""
            print(f"{mark}  {finding.what: <26} {finding.found}{advice}", flush=True)
            worst = max(worst, int(bool(finding.advice)))
        return worst

    return asyncio.run(look())
