"""An API in a copy accepts everything, and says that nothing is sent."""

from functools import partial

import pytest
from prometheus_client import CollectorRegistry

from service.api import ledger_clock
from service.clock import Clock
from service.metrics import ApiMetrics
from tests.copies import adopt, declare, home, move_database
from tests.integration.api.serving import LINE, serving
from tests.integration.api.test_clock import begun, stopped
from tests.waiting import wait_for

COPIED = (
    "this ledger was copied, and nothing is sent: `notify adopt` to send from here, `notify adopt"
    " --discard` to cancel what was queued or being sent when the copy was noticed"
)


def test_it_is_ready_and_degraded(dsn, db):
    with serving(dsn, environment="staging") as api:
        assert api.get("/readyz").json == {"status": "ready", "missing": []}
        move_database(db)
        ready = changed(api, "ready")
        assert (ready.status, ready.json) == (
            200,
            {"status": "degraded", "missing": [], "hint": COPIED},
        )
        assert api.post(LINE).status == 202
        adopt(db, "staging")
        assert changed(api, "degraded").json["status"] == "ready"


def changed(api, status):
    """Give what is said once it is no longer this: a look counts for a second."""
    wait_for(lambda: api.get("/readyz").json["status"] != status)
    return api.get("/readyz")


def test_a_wrong_environment_is_told_from_a_copy(dsn, db):
    declare(db, "production")
    home(db, "production")
    for environment, ours in (("prod", "ENVIRONMENT=prod"), (None, "no ENVIRONMENT")):
        with serving(dsn, environment=environment) as api:
            ready = api.get("/readyz")
            assert (ready.status, ready.json["hint"]) == (
                200,
                f"this ledger is at home here as production, and we have {ours}, and nothing is"
                " sent: set ENVIRONMENT=production, or rename its home: `notify adopt`",
            )


def test_what_is_missing_comes_first(dsn, db):
    move_database(db)
    db.execute("drop trigger accept on notify.notifications")
    with serving(dsn) as api:
        assert (api.get("/readyz").status, api.get("/readyz").json["status"]) == (503, "not ready")


@pytest.mark.parametrize("environment", [None, "staging"])
def test_its_metric_shows_a_copy_and_it_notes_when_it_found_one(dsn, db, monkeypatch, environment):
    monkeypatch.setattr(ledger_clock, "LOOK_AGAIN_S", 0.1)
    registry = CollectorRegistry()
    metrics = ApiMetrics(registry)
    move_database(db)

    def is_copy():
        return registry.get_sample_value("api_ledger_is_copy")

    with serving(dsn) as api:
        kept = partial(ledger_clock.kept, Clock(), api.store, metrics, environment)
        task = api.run(begun(kept()))
        wait_for(lambda: is_copy() == 1)
        noticed = "select count(*) as n from notify.copies where environment = %s"
        wait_for(lambda: db.execute(noticed, [environment or ""]).fetchone().n == 1)
        adopt(db, environment)
        wait_for(lambda: is_copy() == 0)
        api.run(stopped(task))
