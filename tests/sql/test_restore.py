"""A dump moves the ledger to another server, an older one too; what it loses is mended."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from service.embedded.account import servers_account
from service.embedded.programs import postgres_programs
from service.embedded.servers import EmbeddedServers
from service.ledger.migrate import migrate
from tests.copies import adopt
from tests.ledger import claim, enqueue, settle
from tests.scratch import scratch
from tests.selection import OLDER_POSTGRES
from tests.sql.test_faults import all_faults, missing

pytestmark = [pytest.mark.slow, pytest.mark.needs("older_postgres")]
BOTH = ("newer", "older")


@pytest.fixture(scope="module")
def both() -> Iterator[SimpleNamespace]:
    """Run the wheel's PostgreSQL and an older one, each with a migrated ledger in one."""
    with scratch() as newer, scratch() as older:
        account = servers_account(Path(newer))
        programs = postgres_programs(account, Path(newer) / "programs")
        with (
            EmbeddedServers(Path(newer), valkey=False, fast=True) as first,
            EmbeddedServers(
                Path(older), valkey=False, fast=True, postgres_programs=OLDER_POSTGRES
            ) as second,
        ):
            yield SimpleNamespace(
                newer=first.database_url, older=second.database_url, programs=programs
            )


@pytest.fixture
def source(both, request) -> Iterator[str]:
    """A migrated database with a row, on the newer or the older server."""
    yield from database(getattr(both, request.param), "source")


@pytest.fixture
def target(both, request) -> Iterator[str]:
    """An empty database there."""
    yield from database(getattr(both, request.param), "target")


def database(server: str, name: str) -> Iterator[str]:
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"create database {name}")
        yield server.rpartition("/")[0] + f"/{name}"
        # Not `with (force)`: this role may end no autovacuum there. DROP itself does, and waits.
        admin.execute(f"drop database {name}")


def moved(both, source, target, *how):
    """Dump and restore as people do, an error or not.

    A server is dumped by its own program, if it has one: since 2026-11 minor releases have options
    of columns that only a pg_dump of their day leaves out.
    """
    is_older = source.rpartition("/")[0] == both.older.rpartition("/")[0]
    own = Path(OLDER_POSTGRES) / "pg_dump"
    dump = own if is_older and own.exists() else both.programs / "pg_dump"
    restore = both.programs / "pg_restore"
    made = subprocess.run([dump, "-Fc", source], check=True, capture_output=True, timeout=120)
    restored = subprocess.run(
        [restore, "-d", target, *how],
        input=made.stdout,
        check=False,
        capture_output=True,
        timeout=120,
    )
    return [line for line in restored.stderr.decode().splitlines() if "error:" in line]


def lives(url):
    """One way to the end: a row is accepted, claimed and settled, once the copy is adopted."""
    with psycopg.connect(url, autocommit=True, row_factory=namedtuple_row) as db:
        adopt(db)
        [id] = enqueue(db)
        assert id in [s.id for s in settle(db, claim(db, limit=100))]


@pytest.mark.parametrize(
    ("source", "target"),
    [("newer", "older"), ("older", "newer"), ("newer", "newer")],
    indirect=True,
)
def test_a_dump_is_restored_whole_on_any_server(both, source, target):
    migrate(source)
    with psycopg.connect(source, autocommit=True, row_factory=namedtuple_row) as db:
        [id] = enqueue(db)
    errors = moved(both, source, target)
    assert [e for e in errors if "transaction_timeout" not in e] == []  # 18 says it, 15 has none
    lives(target)
    assert all_faults(target) == []
    assert migrate(target) == []
    with psycopg.connect(target) as db:
        assert db.execute("select status from notifications where id = %s", [id]).fetchone() == (
            "sent",
        )


@pytest.mark.parametrize(
    "how",
    [
        ["-n", "notify"],
        ["--section=pre-data"],
        ["--section=pre-data", "--section=data"],
        ["--schema-only"],
        ["--no-owner", "--no-acl"],
        ["-n", "notify", "--section=pre-data"],
        ["--section=data"],
        ["-n", "public"],
        ["-t", "_yoyo_version"],
        ["-t", "_yoyo_migration"],
        ["-t", "notifications"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(("source", "target"), [("newer", "older")], indirect=True)
def test_what_a_partial_restore_leaves_out_is_told_and_mended(both, source, target, how):
    migrate(source)
    moved(both, source, target, *how)
    assert missing(target) or how == ["--no-owner", "--no-acl"]
    said = []
    migrate(target, say=said.append)
    assert all_faults(target) == []
    lives(target)
    with psycopg.connect(target) as db:
        assert db.execute("select to_regclass('notifications') is not null").fetchone() == (True,)


@pytest.mark.parametrize(("source", "target"), [("newer", "older")], indirect=True)
def test_functions_of_a_newer_server_only_are_told_and_mended(both, source, target):
    """As releases before chose them when they deployed."""
    migrate(target)
    with psycopg.connect(target, autocommit=True) as db:
        db.execute("set check_function_bodies = off")
        db.execute(
            "create or replace function notify.new_id() returns uuid language sql"
            " as 'select uuidv7()'"
        )
    assert "new_id fails: function uuidv7() does not exist" in " ".join(missing(target))
    said = []
    assert migrate(target, say=said.append) == []
    assert [line for line in said if line.startswith("mended: notify.new_id fails")]
    lives(target)
