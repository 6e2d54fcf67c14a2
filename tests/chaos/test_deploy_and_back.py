"""The code of the release before and ours on one ledger: forward, back, and forward again."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from load.chaos.processes import Role
from load.chaos.stand import Stand, scratch_stand
from tests import before
from tests.chaos.test_chaos import extra, verdict_of
from tests.waiting import LIMIT_S, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.needs("before")]

MORE = 20  # of each role's work show that it goes on
ACCEPTED = "api_jobs_enqueued_total{"
SENT_BY = """
select count(*) as n from notify.attempts where worker like %s and outcome = 'sent'
"""
HAS_TRANSACTION = """
select from pg_attribute
where attrelid = 'notify.notifications'::regclass and attname = 'transaction_id'
"""


@pytest.fixture
def old_code(tmp_path: Path) -> Path:
    """Unpack the code of the release before."""
    return before.unpack(tmp_path)


@pytest.fixture
def stand(old_code: Path) -> Iterator[Stand]:
    """Run the release before on its own schema."""
    with scratch_stand(apis=1, dispatchers=1, workers=1, code=old_code) as stand:
        yield stand


def test_old_code_and_new_serve_one_ledger_forward_and_back_and_forward_again(
    stand: Stand, old_code: Path
) -> None:
    old = stand.roles[:]
    assert stand.servers.sql(HAS_TRANSACTION) == []
    with stand.producing(seed=21, rate=150):
        all_go_on(stand)
        stand.migrate()
        all_go_on(stand)
    new = [stand.add(f"new-{role.command}", role.command) for role in old]
    wait_for(lambda: all(map(stand.answers, stand.apis)))
    with stand.producing(seed=22, rate=150):
        all_go_on(stand)
        stand.migrate(old_code)
        all_go_on(stand)
        stop(stand, [role for role in new if role.command != "api"])
        all_go_on(stand)
    stop(stand, [role for role in new if role.command == "api"])
    with stand.producing(seed=23, rate=150):
        all_go_on(stand)
        stand.migrate()
        all_go_on(stand)
    for role in new:
        role.start()
    wait_for(lambda: all(map(stand.answers, stand.apis)))
    with stand.producing(seed=24, rate=150):
        for role in old:
            all_go_on(stand)
            if role.command != "api":
                stop(stand, [role])
        all_go_on(stand)
    stop(stand, [role for role in old if role.command == "api"])

    verdict = verdict_of(stand)

    assert {stop.code for stop in stand.stops} == {0}
    assert extra(verdict) == 0
    assert verdict.offered["accepted"] == verdict.offered.total()


def all_go_on(stand: Stand) -> None:
    """Wait until every role that runs has done more of its work, and every API is ready."""
    roles = [role for role in stand.roles if role.runs and role.command != "dispatcher"]
    done = {role.name: work_of(stand, role) for role in roles}
    for role in roles:
        wait_for(lambda role=role: work_of(stand, role) > done[role.name] + MORE)
    for api in stand.apis:
        assert not api.runs or readiness(stand, api) == "ready"


def work_of(stand: Stand, role: Role) -> float:
    """Count what an API has accepted, or what a worker has sent, in its present life."""
    if role.command == "worker":
        return float(stand.servers.sql(SENT_BY, f"%:{role.pid}-%")[0]["n"])
    with urllib.request.urlopen(f"{stand.url(role)}/metrics", timeout=LIMIT_S) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(ACCEPTED))


def readiness(stand: Stand, api: Role) -> str:
    """Read what an API says at /readyz."""
    try:
        with urllib.request.urlopen(f"{stand.url(api)}/readyz", timeout=LIMIT_S) as answer:
            document = json.load(answer)
    except urllib.error.HTTPError as error:
        document = json.load(error)
    return ", ".join(document["missing"]) or str(document["status"])


def stop(stand: Stand, roles: list[Role]) -> None:
    """Ask roles to end, one after the other."""
    stand.stops.extend(role.terminate(LIMIT_S) for role in roles)
