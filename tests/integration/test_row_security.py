"""What row security hides from us is named, and is never an empty ledger."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from psycopg.sql import SQL, Identifier

from service.config.settings import Settings
from service.errors import DatabaseAway
from service.logs.outage import Outage
from service.metrics import WorkerMetrics
from tests import ledger
from tests.integration.api.serving import LINE, serving
from tests.road import examined
from tests.waiting import wait_for
from workers.store import Store

FORCED = "alter table notify.{0} enable row level security, force row level security"
NAMED = "row security hides rows of notify.notifications from "


@pytest.fixture
def url(db: psycopg.Connection[Any], dsn: str) -> Iterator[str]:
    """Let a role own everything, and bypass nothing; give a URL with it."""
    name = Identifier(f"owner_{db.info.dbname}")
    owner = SQL("create role {0} login password 'p'; alter database {1} owner to {0};").format(
        name, Identifier(db.info.dbname)
    )
    db.execute(owner + SQL("grant all on schema notify, public to {0}").format(name))
    for schema, kind in (("notify", "tables"), ("notify", "routines"), ("public", "tables")):
        db.execute(SQL(f"grant all on all {kind} in schema {schema} to {{}}").format(name))
    yield f"postgresql://owner_{db.info.dbname}:p@{dsn.rpartition('@')[2]}"
    db.execute(SQL("reassign owned by {0} to current_user; drop owned by {0}").format(name))
    db.execute(SQL("drop role {}").format(name))


@pytest.mark.parametrize("policy", ["", "create policy p on notify.notifications using (false)"])
def test_nothing_is_accepted_and_the_reason_is_named(db, url, policy):
    with serving(url) as api:
        assert api.post(LINE).status == 202
        assert api.get("/readyz").status == 200
        db.execute(FORCED.format("notifications") + ";" + policy)
        assert api.post(LINE).status == 503
        assert api.get("/notifications").status == 503
        wait_for(lambda: api.get("/readyz").status == 503)  # a look counts for a second
        ready = api.get("/readyz")
        assert NAMED in ready.json["missing"][0]
        db.execute("alter table notify.notifications disable row level security")
        wait_for(lambda: api.get("/readyz").status == 200)


def test_a_worker_finds_no_empty_ledger(db, url):
    ledger.insert(db)
    db.execute(FORCED.format("notifications"))
    metrics = WorkerMetrics(CollectorRegistry())
    store = Store(Settings(database_url=url), metrics, "w:1", "claimer", Outage("postgresql"))
    with pytest.raises(DatabaseAway, match='row-level security policy for table "notifications"'):
        store.claim(None, 1)
    store.close()


@pytest.mark.parametrize("table", ["notifications", "attempts", "slo_daily", "slo_deltas"])
def test_the_doctor_names_each_table(db, url, table):
    db.execute(FORCED.format(table))
    finding = examined(database_url=url)["database"]
    assert finding.found == f"row security hides rows of notify.{table} from owner_{db.info.dbname}"
    assert f"alter table notify.{table} no force row level security" in finding.advice


def test_who_may_bypass_it_sees_all(db, dsn):
    db.execute(FORCED.format("notifications"))
    with serving(dsn) as api:
        assert api.post(LINE).status == 202
        assert api.get("/readyz").status == 200


def test_a_read_only_database_is_named(db, dsn):
    db.execute(f'alter database "{db.info.dbname}" set default_transaction_read_only = on')
    finding = examined(database_url=dsn)["database"]
    assert finding.found == "the database is read-only"
