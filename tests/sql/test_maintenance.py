"""Maintenance: what is not done, and by whose fault, without anybody doing it."""

import pytest

from tests.ledger import put
from tests.owner import force, owning
from tests.sql.long import old_id


def maintenance(db, ahead=7, retention="2 days"):
    query = "select * from notify.maintenance(%s, %s::interval, 20)"
    return [tuple(r) for r in db.execute(query, [ahead, retention])]


@pytest.fixture
def old(db):
    put(db, "sent", id=old_id(db, 5))
    [made, _] = db.execute("select * from notify.make_days(0, '6 days')").fetchall()
    return made.partition


def test_a_database_that_is_kept_lacks_nothing(db):
    assert maintenance(db) == []


def test_days_that_are_missing_ahead_are_named_each_with_its_table(db):
    found = maintenance(db, ahead=8)
    assert [(step, cause) for step, _, cause in found] == [("make_days", None)] * 2
    assert [name.split("_")[0] for _, name, _ in found] == ["notifications", "attempts"]


CAUSES = {
    "nothing known": ("", None),
    "a view": ("create view public.v as select * from notify.{old}", "rule _RETURN on view"),
    "a foreign key": (
        "create table public.o (n uuid references notify.notifications (id))",
        "constraint o_n_fkey",
    ),
    "rows": (
        "update notify.notifications set status = 'queued', settled_at = null",
        "it holds queued or sending rows",
    ),
    "an owner": (
        "alter table notify.{old} owner to pg_database_owner",
        "it belongs to pg_database_owner",
    ),
}


@pytest.mark.parametrize("name", CAUSES)
def test_a_day_over_its_retention_is_named_with_what_keeps_it(db, old, name):
    statement, cause = CAUSES[name]
    db.execute(statement.replace("{old}", old))
    [(step, partition, found)] = maintenance(db)
    assert (step, partition) == ("drop_days", old)
    assert found is None if cause is None else cause in found


def test_row_security_is_named_and_hides_no_day(db, dsn, old):
    with owning(db, dsn) as owner:
        force(db, old)
        assert maintenance(owner) == [("drop_days", old, "row security hides its rows")]


def test_attempts_whose_day_is_gone_are_named(db, old):
    db.execute(f"drop table notify.{old}")
    assert maintenance(db) == [("drop_days", old.replace("notifications_", "attempts_"), None)]
