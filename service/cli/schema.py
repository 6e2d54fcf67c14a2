"""`notify schema`: the SQL that the database of somebody's tests loads."""

import argparse
import sys


def run(args: argparse.Namespace) -> int:
    """Print it, in UTF-8 whatever the terminal's encoding."""
    from service.ledger.schema_text import schema_text

    sys.stdout.buffer.write(schema_text().encode())
    return 0
