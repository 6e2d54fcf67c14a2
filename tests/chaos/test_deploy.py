"""A deploy of new code with a new schema, while the old code runs under load."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from load.chaos.processes import Role
from load.chaos.stand import Stand
from service.ledger.migrate import migrate
from tests.chaos.test_chaos import extra, verdict_of
from tests.waiting import LIMIT_S, wait_for

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
COLUMN = """
-- depends: 0005-slo
alter table notify.notifications add column if not exists of_tomorrow text;
"""
MIGRATE = "import sys; from service.ledger.migrate import migrate; migrate(sys.argv[1])"
SENT_BY = """
select count(*) as n from notify.attempts where worker like %s and outcome = 'sent'
"""


@pytest.fixture
def tomorrow(tmp_path: Path, stand: Stand) -> Iterator[Path]:
    """Copy the code, with one more column and another text of every function; undone after."""
    for part in ("service", "workers", "migrations", "sql", "ops"):
        shutil.copytree(ROOT / part, tmp_path / part)
    (tmp_path / "migrations" / "0006-tomorrow.sql").write_text(COLUMN)
    for function in (tmp_path / "sql").glob("*.sql"):
        function.write_text(function.read_text() + "\n-- as of tomorrow\n")
    subprocess.run([sys.executable, "-m", "ops.stamp_sql"], cwd=tmp_path, check=True)
    yield tmp_path
    stand.servers.sql("alter table notify.notifications drop column if exists of_tomorrow")
    migrate(stand.servers.database_url)


def test_old_and_new_code_run_side_by_side_through_a_migration(
    stand: Stand, tomorrow: Path
) -> None:
    new = Role(
        "worker-of-tomorrow",
        "worker",
        stand.directory,
        stand.workers[0].env | {"PYTHONPATH": str(tomorrow)},
    )
    stand.exits.callback(new.kill)
    with stand.producing(seed=5, rate=150):
        wait_for(lambda: len(stand.arrivals()) > 50)
        subprocess.run(
            [sys.executable, "-c", MIGRATE, stand.servers.database_url], cwd=tomorrow, check=True
        )
        stand.servers.sql("select of_tomorrow from notify.notifications limit 1")
        new.start()
        wait_for(lambda: stand.servers.sql(SENT_BY, f"%:{new.pid}-%")[0]["n"] > 20)
        for worker in stand.workers:
            sent = stand.servers.sql(SENT_BY, f"%:{worker.pid}-%")[0]["n"]
            wait_for(
                lambda worker=worker, sent=sent: (
                    stand.servers.sql(SENT_BY, f"%:{worker.pid}-%")[0]["n"] > sent + 20
                )
            )
    stopped = new.terminate(LIMIT_S)
    verdict = verdict_of(stand)

    assert stopped.code == 0
    assert extra(verdict) == 0
    assert verdict.offered["accepted"] == verdict.offered.total()
