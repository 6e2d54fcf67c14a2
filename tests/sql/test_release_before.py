"""The code of the release before on our schema: what it calls is there, also after a way back."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from service.ledger.migrate import migrate
from service.ledger.schema import current_migration
from tests import before
from tests.ledger import enqueue

pytestmark = pytest.mark.needs("before")

COMMAND = "import sys; from service.cli.main import main; sys.exit(main(sys.argv[1:]))"
DOORWAY = "0016-doorway"
SHAPES = """
select p.oid::regprocedure::text as name, pg_get_function_result(p.oid) as result
from pg_proc p where p.pronamespace = 'notify'::regnamespace
"""
ENQUEUE_ALL = "select ord, id, created_at from notify.enqueue_all(%s)"
ENQUEUE = """
select ord, id, created_at, refusal ->> 'constraint' as constraint
from notify.enqueue(%s, '2 s', '1 ms') order by ord
"""
CLAIM = """
select id, status, attempt, is_test
from notify.claim(%s::uuid[], 10, 'old:1-a', '1 min', 4, '1 hour', null::text)
"""
SETTLE = """
select status from notify.settle(%s, %s, '{sent}', '{null}', '{null}', '{1}', '{1}', '{null}',
  'old:1-a', '{"default": [1]}', '1 s')
"""


@pytest.fixture
def old_code(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Unpack the code of a release before, which a test may choose."""
    return before.unpack(tmp_path, getattr(request, "param", before.COMMIT))


each_release = pytest.mark.parametrize(
    "old_code", [before.COMMIT, before.NEWEST], ids=["without a doorway", "newest"], indirect=True
)


def old_notify(code: Path, dsn: str, *args: str) -> str:
    """Run a command of the old code."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *args],
        cwd=code, env=os.environ | {"DATABASE_URL": dsn, "PYTHONPATH": str(code)},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def yoyo(dsn: str, *args: str) -> None:
    """Run yoyo on our migrations."""
    done = subprocess.run(
        [sys.executable, "-m", "yoyo", *args],
        cwd=before.ROOT, env=os.environ | {"DATABASE_URL": dsn},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def connected(dsn: str) -> psycopg.Connection[Any]:
    """Connect as `db` does; a new session knows nothing of dropped functions."""
    return psycopg.connect(dsn, autocommit=True, row_factory=namedtuple_row)


def shapes(dsn: str) -> dict[str, str]:
    """Give what each function returns, by its signature."""
    with connected(dsn) as db:
        return {r.name: r.result for r in db.execute(SHAPES)}


def goes_on(dsn: str) -> None:
    """Enqueue, claim and settle as the old API and the old workers do."""
    with connected(dsn) as db:
        good, bad = {"channel": "log", "recipient": "r"}, {"channel": "pigeon", "recipient": "r"}
        together = enqueued(db, [good])
        apart = db.execute(ENQUEUE, [Jsonb([bad, good])]).fetchall()
        assert [r.ord for r in together] == [1]
        assert [(r.ord, r.constraint) for r in apart] == [(1, "channel_is_known"), (2, None)]
        ids = [together[0].id, apart[1].id]
        claimed = db.execute(CLAIM, [ids]).fetchall()
        assert {(r.id, r.status, r.attempt) for r in claimed} == {(id, "sending", 1) for id in ids}
        assert [settled(db, id) for id in ids] == ["sent", "sent"]


def enqueued(db: psycopg.Connection[Any], rows: list[dict[str, str]]) -> list[Any]:
    """Enqueue together, or apart if the old functions take a trigger of ours for a stranger's."""
    try:
        return db.execute(ENQUEUE_ALL, [Jsonb(rows)]).fetchall()
    except psycopg.Error as error:
        assert error.sqlstate == "ND003"
        return db.execute(ENQUEUE, [Jsonb(rows)]).fetchall()


def settled(db: psycopg.Connection[Any], id: UUID) -> str:
    """Settle a first attempt as sent; gives the new status."""
    return db.execute(SETTLE, [[id], [1]]).fetchone().status


@each_release
def test_a_migration_leaves_every_function_that_old_code_calls(
    empty_dsn: str, old_code: Path
) -> None:
    old_notify(old_code, empty_dsn, "migrate")
    old = shapes(empty_dsn)
    migrate(empty_dsn)
    assert shapes(empty_dsn).items() >= old.items()
    goes_on(empty_dsn)


@each_release
def test_old_code_migrates_our_schema_back_to_its_functions_and_we_forward(
    dsn: str, old_code: Path
) -> None:
    ours = shapes(dsn)
    for _ in range(2):
        assert "applied 9999-sql-" in old_notify(old_code, dsn, "migrate")
        goes_on(dsn)
        assert migrate(dsn) == [current_migration()]
        goes_on(dsn)
    assert shapes(dsn).items() >= ours.items()


def test_the_doorway_is_rolled_back_with_rows_in_the_ledger_and_old_code_goes_on(
    dsn: str, old_code: Path
) -> None:
    with connected(dsn) as db:
        [queued] = enqueue(db)
        [sending] = enqueue(db)
        db.execute(CLAIM, [[sending]])
    yoyo(dsn, "rollback", "--revision", DOORWAY)
    old_notify(old_code, dsn, "migrate")
    goes_on(dsn)
    with connected(dsn) as db:
        assert [r.id for r in db.execute(CLAIM, [[queued]])] == [queued]
        assert settled(db, sending) == "sent"

    assert migrate(dsn)[0] == DOORWAY

    with connected(dsn) as db:
        assert settled(db, queued) == "sent"
    goes_on(dsn)
