"""What a notification costs PostgreSQL, step by step, when nothing else goes on.

The road is driven turn by turn, in batches of one size, by the calls of the real roles. A step that
costs more, or less, than COSTS says is a change to see and to want: write the new figure there. The
failure prints it.
"""

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from unittest.mock import patch

import psycopg
import pytest
import redis
from prometheus_client import CollectorRegistry
from psycopg.conninfo import make_conninfo

from service.config.settings import Settings
from service.embedded import postgres
from service.embedded.servers import EmbeddedServers
from service.ledger.enqueue_store import EnqueueStore
from service.ledger.migrate import migrate
from service.logs.outage import Outage
from service.metrics import WorkerMetrics
from service.model.words import Outcome
from tests.conftest import as_superuser
from tests.integration.dispatch.driving import Driven
from tests.scratch import scratch
from workers.claim import Claim, Ended, Verdict
from workers.store import Store


@dataclass(frozen=True, slots=True)
class Cost:
    """What a batch costs. `wal_bytes`: of one notification of it."""

    statements: int
    commits: int
    wal_bytes: float


BATCH = 100
# Of a batch of 100: statements, commits; and WAL bytes of each. They hold for 15, 16, 17 and 18.
COSTS = {
    "insert": Cost(100, 100, 401),  # by a producer, one row a commit
    "enqueue": Cost(1, 1, 359),
    "look": Cost(1, 1, 0),
    "claim": Cost(1, 1, 486),
    "settle": Cost(1, 1, 624),
}
WAL_SHARE, WAL_BYTES = 0.05, 5  # how far WAL may be from it: pages split, and are pruned
ROUNDS = 10

# Nothing writes WAL but the road, and each line of the log has its transaction's number.
QUIET = {
    "autovacuum": "off",
    "checkpoint_timeout": "1d",
    "full_page_writes": "off",
    "log_line_prefix": "%v ",
}
STATEMENT = re.compile(r"^(\d+/\d+) LOG:  (?:execute [^:]*|statement): ", re.MULTILINE)
WAL = "select pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
URL = "https://example.org/hooks"
ROW = {"channel": "webhook", "recipient": URL, "payload": {"text": "hello"}}
ROWS = json.dumps([ROW] * BATCH).encode()
INSERT = f"""
insert into notify.notifications (channel, recipient, payload)
values ('webhook', '{URL}', '{{"text": "hello"}}')
"""


class Quiet:
    """A server with nothing else to do, which counts what is done."""

    def __init__(self, url: str, superuser_url: str, redis_url: str, log: Path) -> None:
        self.url = url
        self.redis_url = redis_url
        self.superuser = psycopg.connect(superuser_url, autocommit=True)
        self._log = log

    def clear(self) -> None:
        """Begin with nothing in the ledger and in the ready set."""
        self.superuser.execute("truncate notify.notifications, notify.attempts, notify.slo_deltas")
        with redis.Redis.from_url(self.redis_url) as ready_set:
            ready_set.flushdb()

    def wal(self) -> float:
        """Say how far the WAL has come."""
        return float(self.superuser.execute(WAL).fetchall()[0][0])

    @contextmanager
    def counted(self, costs: list[Cost]) -> Iterator[None]:
        """Count what the block does with a batch."""
        at, wal = self._log.stat().st_size, self.wal()
        yield
        wal_bytes = (self.wal() - wal) / BATCH
        with self._log.open() as log:
            log.seek(at)
            transactions = STATEMENT.findall(log.read())
        costs.append(Cost(len(transactions), len(set(transactions)), wal_bytes))


@pytest.fixture(scope="module")
def quiet(servers) -> Iterator[Quiet]:
    programs = os.environ.get("TEST_POSTGRES_PROGRAMS")
    with scratch() as state, patch.dict(postgres.FAST, QUIET):
        own = EmbeddedServers(
            Path(state),
            valkey=False,
            fast=True,
            postgres_programs=Path(programs) if programs else None,
        )
        with own as urls:
            migrate(urls.database_url)
            superuser = make_conninfo(as_superuser(urls.database_url, own.state), dbname="notify")
            log = own.state.directory / "postgres.log"
            server = Quiet(urls.database_url, superuser, servers.redis_url, log)
            server.superuser.execute("alter role notify_app set log_statement = 'all'")
            yield server
            server.superuser.close()


def drive(quiet: Quiet) -> dict[str, Cost]:
    """Drive the road, each step by itself. The first round is left out: some happens once."""
    costs: dict[str, list[Cost]] = {step: [] for step in COSTS}
    quiet.clear()
    with (
        Driven(quiet.url, quiet.redis_url) as dispatcher,
        psycopg.connect(quiet.url, autocommit=True) as producer,
        closing(worker_store(quiet.url)) as worker,
        ExitStack() as exits,
    ):
        api = dispatcher.call(EnqueueStore(quiet.url, "notify-api").__aenter__())
        exits.callback(lambda: dispatcher.call(api.__aexit__(None, None, None)))
        for _ in range(1 + ROUNDS):
            with quiet.counted(costs["insert"]):
                for _ in range(BATCH):
                    producer.execute(INSERT)
            with quiet.counted(costs["enqueue"]):
                accepted = dispatcher.call(api.enqueue(ROWS))
            with quiet.counted(costs["look"]):
                added = dispatcher.offer()
            with quiet.counted(costs["claim"]):
                claims, _ = worker.claim([str(row.id) for row in accepted.values()], BATCH)
            with quiet.counted(costs["settle"]):
                settled = worker.settle([ended(claim) for claim in claims])
            assert added == 2 * BATCH
            assert [result.status for result in settled.values()] == ["sent"] * BATCH
    return {step: of_all(rounds[1:]) for step, rounds in costs.items()}


def worker_store(url: str) -> Store:
    """Make a worker's store; its name has always the same length."""
    metrics = WorkerMetrics(CollectorRegistry())
    settings = Settings(database_url=url)
    return Store(settings, metrics, "host:1-00000000", "claimer", Outage("database"))


def ended(claim: Claim) -> Ended:
    """End an attempt as a receiver that answers 200 does."""
    verdict = Verdict(outcome=Outcome.SENT, code="200")
    return Ended(claim=claim, verdict=verdict, started_at=time.monotonic(), took_ms=5)


def of_all(rounds: list[Cost]) -> Cost:
    """Take the mean of WAL; statements and commits have to be the same in each round."""
    [(statements, commits)] = {(cost.statements, cost.commits) for cost in rounds}
    return Cost(statements, commits, mean(cost.wal_bytes for cost in rounds))


def changed(costs: dict[str, Cost]) -> dict[str, str]:
    """Say which steps do not cost what is written, and what they do cost."""
    return {
        step: f"{cost} now, {COSTS[step]} before"
        for step, cost in costs.items()
        if (cost.statements, cost.commits) != (COSTS[step].statements, COSTS[step].commits)
        or cost.wal_bytes != pytest.approx(COSTS[step].wal_bytes, rel=WAL_SHARE, abs=WAL_BYTES)
    }


def test_each_step_costs_what_is_written(quiet):
    assert changed(drive(quiet)) == {}


@pytest.mark.parametrize(
    ("index", "dearer"),
    [
        ("notify.notifications (created_at)", {"insert", "enqueue", "claim", "settle"}),
        ("notify.notifications (claimed_by) where status = 'sending'", {"claim"}),
        ("notify.notifications (settled_at) where status = 'sent'", {"settle"}),
        ("notify.attempts (started_at)", {"settle"}),
    ],
)
def test_one_more_index_is_seen(quiet, index, dearer):
    quiet.superuser.execute(f"create index one_more on {index}")
    try:
        assert set(changed(drive(quiet))) == dearer
    finally:
        quiet.superuser.execute("drop index notify.one_more")


def test_statements_are_counted_and_those_of_one_transaction_are_one_commit(quiet):
    costs: list[Cost] = []
    with psycopg.connect(quiet.url, autocommit=True) as connection:
        with quiet.counted(costs):
            connection.execute("select 1")
            connection.execute("select %s::text", ["two"], prepare=True)
        with quiet.counted(costs), connection.transaction():
            connection.execute("select 1")
    assert costs == [Cost(2, 2, 0), Cost(3, 1, 0)]  # begin and commit are statements, too
