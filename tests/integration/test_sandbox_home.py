"""Which ledgers a sandbox may have: none but its own, whatever DATABASE_URL names."""

import psycopg
import pytest

from service.config.settings import Settings
from service.errors import NotifyError, StartError
from service.home import SANDBOX
from service.ledger.migrate import migrate
from service.ledger.sandbox_home import refuse_others_ledger


def name_of(dsn: str) -> str | None:
    with psycopg.connect(dsn) as conn:
        return conn.execute("select environment from notify.settings").fetchone()[0]


def test_an_empty_database_is_taken_and_after_that_its_own_ledger(empty_dsn):
    refuse_others_ledger(empty_dsn)
    with psycopg.connect(empty_dsn) as conn:
        assert conn.execute("select to_regnamespace('notify')").fetchone() == (None,)
    migrate(empty_dsn, settings=Settings(environment=SANDBOX))
    assert name_of(empty_dsn) == SANDBOX
    refuse_others_ledger(empty_dsn)


def test_the_tables_of_a_program_are_no_ledger(empty_dsn):
    with psycopg.connect(empty_dsn) as conn:
        conn.execute("create table notifications (id int); create schema notify")
    refuse_others_ledger(empty_dsn)


@pytest.mark.parametrize("environment", [None, "production", "sandbox"])
def test_a_ledger_of_others_is_refused_before_anything_is_written(db, dsn, environment):
    db.execute("update notify.settings set environment = %s", [environment])
    whose = f"of ENVIRONMENT={environment}" if environment else "without a sandbox"
    with pytest.raises(StartError, match=f"holds a ledger {whose}, whose notifications"):
        refuse_others_ledger(dsn)
    assert name_of(dsn) == environment


@pytest.mark.parametrize(
    "older",
    ["drop table notify.settings cascade", "alter table notify.settings drop environment cascade",
     "delete from notify.settings"],
)  # fmt: skip
def test_so_is_a_ledger_that_an_older_release_made_or_that_lost_its_name(db, dsn, older):
    db.execute(older)
    with pytest.raises(StartError, match="without a sandbox"):
        refuse_others_ledger(dsn)


def test_nobody_else_is_at_home_in_its_ledger(empty_dsn):
    migrate(empty_dsn, settings=Settings(environment=SANDBOX))
    with psycopg.connect(empty_dsn) as conn:
        for environment, at_home in ((SANDBOX, True), (None, False), ("production", False)):
            is_home = conn.execute("select notify.is_home(%s)", [environment]).fetchone()
            assert is_home == (at_home,), environment


def test_a_database_that_is_away_is_one_line():
    with pytest.raises(NotifyError):
        refuse_others_ledger("postgresql://x:y@127.0.0.1:1/x")
