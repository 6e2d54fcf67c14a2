"""What may be asked of a standby, and what may not: ops/SCALING.md, Read replicas."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from load.chaos.servers import Servers, port_of
from service.ledger.migrate import migrate
from tests.ledger import enqueue
from tests.scratch import scratch
from tests.waiting import wait_for

pytestmark = pytest.mark.slow  # a PostgreSQL of its own, and a copy of it

READS = (
    "select * from notify.outcomes",
    "select * from notify.outcomes()",
    "select * from notify.outcome_of('r')",
    "select * from notify.explain((select id from notify.notifications limit 1))",
    "select * from notify.page(null, null, null, null, 10, 1000)",
    "select * from notify.gauges()",
    "select * from notify.vitals()",
    "select * from notify.workers",
)
WRITES = (
    "select notify.send('log', 'r', '{}')",
    "select * from notify.claim(null, 1, 'w:1', interval '30 s', 4, interval '1 h', null)",
    "listen notify_wake",
)


@pytest.fixture(scope="module")
def standby() -> Iterator[Any]:
    """Connect to a streaming standby of a ledger with three rows."""
    with scratch() as directory:
        servers = Servers(Path(directory) / "state")
        servers.start_postgres()
        try:
            migrate(servers.database_url)
            with psycopg.connect(
                servers.admin_url, autocommit=True, row_factory=namedtuple_row
            ) as primary:
                enqueue(primary, 3)
            servers.start_replica()
            assert servers.replica is not None
            port = port_of(servers.replica.url)
            url = re.sub(r":\d+(,[^/]*)?/", f":{port}/", servers.admin_url.partition("?")[0])
            with psycopg.connect(url, autocommit=True) as conn:
                wait_for(lambda: conn.execute("select pg_is_in_recovery()").fetchone() == (True,))
                yield conn
        finally:
            servers.stop()


@pytest.mark.parametrize("query", READS)
def test_what_only_reads_is_answered(standby, query):
    assert standby.execute(query).description


def test_it_has_the_rows_of_its_primary(standby):
    assert standby.execute("select queued from notify.gauges()").fetchone() == (3,)


@pytest.mark.parametrize("query", WRITES)
def test_whatever_writes_or_listens_is_refused(standby, query):
    with pytest.raises((psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.FeatureNotSupported,
                        psycopg.errors.ObjectNotInPrerequisiteState)):  # fmt: skip
        standby.execute(query)
