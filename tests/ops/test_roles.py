"""ops/postgres/roles.sql on a real PostgreSQL: who may read what, and that nobody may write."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import yaml
from psycopg.sql import SQL, Identifier

from service.ledger.migrate import migrate
from tests import producers
from tests.ledger import enqueue, row

OPS = Path(__file__).resolve().parents[2] / "ops"
ROLES_SQL = OPS / "postgres" / "roles.sql"
SCALING = OPS / "kubernetes" / "components" / "keda" / "scaling.yaml"
PSQL = shutil.which("psql")
TEST_LIMIT_S = 300  # pytest ends a test that takes longer
CHANGES = [
    "insert into notify.notifications (channel, recipient, payload) values ('log', 'r', '{}')",
    "update notify.notifications set status = 'cancelled'",
    "delete from notify.attempts",
    "select * from notify.cancel(array(select id from notify.notifications))",
    "create table notify.mine (n integer)",
]

pytestmark = pytest.mark.needs("psql")


def run_roles_sql(url: str) -> None:
    """Run the file as its header says."""
    assert PSQL is not None
    passwords = {
        "NOTIFY_READER_PASSWORD": "a reader's",
        "NOTIFY_OPS_PASSWORD": "an operator's",
        "NOTIFY_SCALER_PASSWORD": "KEDA's",
    }
    subprocess.run(
        [PSQL, url, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", ROLES_SQL],
        env=os.environ | passwords,
        check=True,
        capture_output=True,
    )


@pytest.fixture
def roles(dsn: str) -> Iterator[str]:
    """Make the roles, twice; they belong to the server, so they are dropped again."""
    run_roles_sql(dsn)
    run_roles_sql(dsn)
    yield dsn
    with psycopg.connect(dsn, autocommit=True) as admin:
        drop_roles(admin)


def drop_roles(admin: psycopg.Connection) -> None:
    for name in ("notify_reader", "notify_ops", "notify_scaler", "notify_producer"):
        admin.execute(f"drop owned by {name}")
        admin.execute(f"drop role {name}")


def connected(url: str, role: str, password: str) -> psycopg.Connection:
    """Log in as a role."""
    return psycopg.connect(url, user=role, password=password, autocommit=True)


def test_the_reader_sees_the_ledger_and_the_days_to_come(roles, db):
    enqueue(db, 3)
    db.execute("select * from notify.keep_partitions(7, interval '30 days')")
    db.execute("create table notify.of_a_later_migration (n integer)")
    with connected(roles, "notify_reader", "a reader's") as reader:
        assert reader.execute("select count(*) from notifications").fetchone() == (3,)
        assert reader.execute("select count(*) from notify.attempts").fetchone() == (0,)
        assert reader.execute("select queued from notify.gauges()").fetchone() == (3,)
        assert reader.execute("select count(*) from of_a_later_migration").fetchone() == (0,)
        assert reader.execute("show statement_timeout").fetchone() == ("10s",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("select secret_sha256 from notify.api_keys")


def kedas_query() -> str:
    """Give what KEDA asks PostgreSQL, from its manifest."""
    [scaled, _] = yaml.safe_load_all(SCALING.read_text())
    return scaled["spec"]["triggers"][0]["metadata"]["query"]


@pytest.mark.parametrize("days", [7, 70], ids=["of a month", "so long that days are looked at"])
def test_the_scaler_gets_the_age_of_the_oldest_due_row_as_a_number(roles, db, days):
    db.execute("select * from notify.keep_partitions(%s, interval '90 days')", [days])
    with connected(roles, "notify_scaler", "KEDA's") as scaler:
        assert scaler.execute(kedas_query()).fetchone() == (0.0,)
        enqueue(db, 2)
        db.execute("update notify.notifications set due_at = clock_timestamp() - interval '90 s'")
        [age] = scaler.execute(kedas_query()).fetchone()
    assert type(age) is float, "KEDA's scaler scans a float64"
    assert 90 <= age < 90 + TEST_LIMIT_S


@pytest.mark.parametrize(
    "query",
    [
        "select payload from notify.notifications",
        "select recipient from notify.notifications",
        "select * from notify.attempts",
        "select * from notify.api_keys",
        "select * from notify.vitals()",
    ],
)
def test_the_scaler_reads_nothing_else(roles, db, query):
    enqueue(db)
    with (
        connected(roles, "notify_scaler", "KEDA's") as scaler,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        scaler.execute(query)


@pytest.mark.parametrize("statement", CHANGES)
def test_the_scaler_changes_nothing(roles, db, statement):
    enqueue(db)
    with connected(roles, "notify_scaler", "KEDA's") as scaler:
        assert scaler.execute("show default_transaction_read_only").fetchone() == ("on",)
        scaler.execute("set default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            scaler.execute(statement)


@pytest.mark.parametrize(
    ("role", "password"), [("notify_reader", "a reader's"), ("notify_ops", "an operator's")]
)
@pytest.mark.parametrize("statement", CHANGES)
def test_nobody_of_them_changes_anything(roles, db, role, password, statement):
    enqueue(db)
    with connected(roles, role, password) as session:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            session.execute(statement)
        session.execute("set default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement)


def test_nobody_of_them_claims(roles, db):
    enqueue(db)
    claim = "select * from notify.claim(null, 10, 'w:1', '30 s', 4, '1 hour')"
    logins = {
        "notify_reader": "a reader's", "notify_ops": "an operator's", "notify_scaler": "KEDA's"
    }  # fmt: skip
    for role, password in logins.items():
        with connected(roles, role, password) as session:
            for is_read_only in ("on", "off"):
                session.execute(f"set default_transaction_read_only = {is_read_only}")
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(claim)


def test_a_member_of_the_producers_sends_and_sees_its_own(roles, db):
    with producers.role(db) as shop:
        db.execute(SQL("grant notify_producer to {}").format(Identifier(shop)))
        with connected(roles, shop, "p") as session:
            [id] = session.execute("select send('log', 'r', '{}')").fetchone()
            assert row(db, id).producer == shop
            assert session.execute("select id from outcomes()").fetchall() == [(id,)]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute("select * from notifications")
    assert db.execute("select * from notify.rights_amiss()").fetchall() == []


def test_nobody_logs_in_as_the_group_of_producers(roles, db):
    query = "select rolcanlogin from pg_roles where rolname = 'notify_producer'"
    assert db.execute(query).fetchone() == (False,)


def test_the_reader_neither_sends_nor_speaks_for_a_producer(roles):
    with connected(roles, "notify_reader", "a reader's") as reader:
        reader.execute("set default_transaction_read_only = off")
        for call in ("send('log', 'r', '{}')", "outcomes()"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"select notify.{call}")


def test_operators_see_the_queries_of_others(roles, db):
    who = "select query from pg_stat_activity where pid = %s"
    pid = [db.info.backend_pid]
    with connected(roles, "notify_ops", "an operator's") as operator:
        assert operator.execute(who, pid).fetchone() != ("<insufficient privilege>",)
    with connected(roles, "notify_reader", "a reader's") as reader:
        assert reader.execute(who, pid).fetchone() == ("<insufficient privilege>",)


def test_it_may_come_before_the_first_migration(empty_dsn):
    owner = "select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'notify'"
    run_roles_sql(empty_dsn)
    with psycopg.connect(empty_dsn, autocommit=True) as admin:
        try:
            assert admin.execute(owner).fetchone() == (urlsplit(empty_dsn).username,)
            migrate(empty_dsn)
            with connected(empty_dsn, "notify_reader", "a reader's") as reader:
                assert reader.execute("select count(*) from notifications").fetchone() == (0,)
                assert reader.execute("select queued from notify.gauges()").fetchone() == (0,)
            with connected(empty_dsn, "notify_scaler", "KEDA's") as scaler:
                assert scaler.execute(kedas_query()).fetchone() == (0.0,)
            assert admin.execute("select * from notify.rights_amiss()").fetchall() == []
        finally:
            drop_roles(admin)
