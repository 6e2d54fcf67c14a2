"""What one webhook costs PostgreSQL on its whole road: WAL, commits, statements.

It is printed beside an INSERT of the same row without triggers or a road. What each step costs is
held by tests/integration/test_cost.py, turn by turn; here batches are as they come.
"""

from dataclasses import dataclass

import psycopg

from load.bench.enqueue import CONNECTIONS
from load.bench.processes import BenchError, run_module
from load.bench.stack import PAYLOAD, Stack, wait_until_sent
from load.bench.table import Row
from load.bench.timed import Log, timed

INSERT = """
insert into notify.notifications (channel, recipient, payload) values ('webhook', %s, %s)
"""
FLOOR_ROWS = 500


@dataclass(frozen=True, slots=True)
class Cost:
    """What was done, all in all."""

    wal_bytes: float
    commits: float
    statements: float

    def each(self, rows: int) -> "Cost":
        """Share it among so many."""
        return Cost(self.wal_bytes / rows, self.commits / rows, self.statements / rows)
