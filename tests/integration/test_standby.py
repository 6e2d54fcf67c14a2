"""What may be asked of a standby, and what may not: ops/SCALING.md, Read replicas."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
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
    "select * from notify.page(null, null, null, null, null, 10, 1000)",
    "select * from notify.gauges()",
    "select * from notify.vitals()",
    "select * from notify.workers",
    "select * from notify.now()",
    "select * from notify.flow(15)",
    "select * from notify.destinations(10)",
    "select * from notify.living_workers(10, 10)",
)
WRITES = (
    "select notify.send('log', 'r', '{}')",
    "select * from notify.claim(null, 1, 'w:1', interval '30 s', 4, interval '1 h', null)",
    "listen notify_wake",
)


class Pair:
    """A ledger with three rows, and its streaming standby: sessions of a superuser at both."""

    def __init__(self, primary: Any, standby: Any) -> None:
        self.primary = primary
        self.standby = standby

    def xmin_age(self) -> int:
        """Ask the primary how many transactions are behind what holds vacuum back."""
        return int(self.primary.execute("select xmin_age from notify.vitals()").fetchone()[0])


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Start both."""
    with scratch() as directory, ExitStack() as stack:
        servers = Servers(Path(directory) / "state")
        servers.start_postgres()
        stack.callback(servers.stop)
        migrate(servers.database_url)

        def session(url: str) -> Any:
            connection = psycopg.connect(url, autocommit=True, row_factory=namedtuple_row)
            return stack.enter_context(connection)

        primary = session(servers.admin_url)
        enqueue(primary, 3)
        servers.start_replica()
        assert servers.replica is not None
        port = port_of(servers.replica.url)
        standby = session(re.sub(r":\d+(,[^/]*)?/notify.*", f":{port}/notify", servers.admin_url))
        assert standby.execute("select pg_is_in_recovery()").fetchone() == (True,)
        yield Pair(primary, standby)


@pytest.mark.parametrize("query", READS)
def test_what_only_reads_is_answered(pair, query):
    assert pair.standby.execute(query).description


def test_it_has_the_rows_of_its_primary(pair):
    assert pair.standby.execute("select queued from notify.gauges()").fetchone() == (3,)


@pytest.mark.parametrize("query", WRITES)
def test_whatever_writes_or_listens_is_refused(pair, query):
    with pytest.raises((psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.FeatureNotSupported,
                        psycopg.errors.ObjectNotInPrerequisiteState)):  # fmt: skip
        pair.standby.execute(query)


def test_with_its_feedback_an_old_query_of_a_standby_holds_the_primarys_vacuum_back(pair):
    for setting in ("hot_standby_feedback = on", "wal_receiver_status_interval = 1"):
        pair.standby.execute(f"alter system set {setting}")
    pair.standby.execute("select pg_reload_conf()")
    pair.standby.execute("begin isolation level repeatable read")
    pair.standby.execute("select 1")

    def is_held_back() -> bool:
        pair.primary.execute("select pg_current_xact_id()")  # one more that it does not see
        return pair.xmin_age() > 10

    wait_for(is_held_back)
    pair.standby.execute("rollback")
    wait_for(lambda: pair.xmin_age() <= 10)
