"""While a synchronous standby is away no commit ends, and what gave up on one leaves no session."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from service.config.settings import Settings
from service.errors import DatabaseAway
from service.logs.outage import Outage
from service.metrics import WorkerMetrics
from tests import ledger
from tests.integration.api.serving import LINE, serving
from tests.pgbouncer import PgBouncer
from tests.scratch import scratch
from tests.waiting import wait_for
from workers.store import Store

pytestmark = pytest.mark.slow  # each commit waits as long as we do

WAITING = (
    "select count(*) as n from pg_stat_activity"
    " where datname = current_database() and wait_event = 'SyncRep'"
)


@pytest.fixture
def away(db: psycopg.Connection[Any]) -> Iterator[None]:
    """Name a standby that is not there."""
    db.execute("set synchronous_commit = local")  # ours to look with
    db.execute("alter system set synchronous_standby_names = 'nobody'")
    db.execute("select pg_reload_conf()")
    shown = "select current_setting('synchronous_standby_names') = 'nobody' as set"
    wait_for(lambda: db.execute(shown).fetchone().set)
    yield
    db.execute("alter system reset synchronous_standby_names")
    db.execute("select pg_reload_conf()")
    wait_for(lambda: not db.execute(shown).fetchone().set)


def nobody_waits(db: psycopg.Connection[Any]) -> bool:
    return db.execute(WAITING).fetchone().n == 0


def test_posts_are_refused_and_leave_no_session_waiting(dsn, db, away):
    with serving(dsn) as api:
        for _ in range(2):
            assert api.post(LINE).status == 503
            wait_for(lambda: nobody_waits(db))
        assert api.get("/notifications").status == 200


def test_a_worker_leaves_no_session_waiting(dsn, db, away):
    ledger.enqueue(db, 3)
    metrics = WorkerMetrics(CollectorRegistry())
    store = Store(Settings(database_url=dsn), metrics, "w:1", "claimer", Outage("postgresql"))
    for _ in range(2):
        with pytest.raises(DatabaseAway):
            store.claim(None, 1)
        wait_for(lambda: nobody_waits(db))
    assert len(store.held(0)) == 2  # what it holds, the ledger knows
    store.close()


@pytest.mark.needs("pgbouncer")
def test_posts_through_a_pooler_leave_none_either(dsn, db, away):
    with (
        scratch() as directory,
        PgBouncer(dsn, Path(directory), pool_mode="transaction") as pooler,
        serving(pooler.url) as api,
    ):
        for _ in range(2):
            assert api.post(LINE).status == 503
            wait_for(lambda: nobody_waits(db))
