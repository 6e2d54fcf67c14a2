"""The audit is only added to: nobody's slip changes it, the owner's neither."""

import psycopg
import pytest

from service.ledger.migrate import migrate
from service.ledger.schema import functions, tables
from tests.ledger import forget_audit

SLIPS = [
    "update notify.audit set actor = 'somebody'",
    "update notify.audit set detail = '{}' where verb = 'cancel'",
    "delete from notify.audit",
    "delete from notify.audit where id = (select id from notify.audit order by id desc limit 1)",
    "truncate notify.audit",
    "truncate notify.audit restart identity cascade",
    "insert into notify.audit (id, actor, verb) overriding system value"
    " select id, 'somebody', 'none' from notify.audit"
    " on conflict (id) do update set actor = excluded.actor",
    "merge into notify.audit a using (values (1)) v on true when matched then delete",
]


@pytest.fixture
def db(shared_db):
    forget_audit(shared_db)
    for verb in ("cancel", "redrive"):
        shared_db.execute("select notify.record_use('shop', 'k1', %s, '{\"n\": 1}')", [verb])
    return shared_db


def audit(db):
    return db.execute("select * from notify.audit order by id").fetchall()


@pytest.mark.parametrize("slip", SLIPS)
def test_who_owns_it_changes_nothing_by_a_slip(db, slip):
    before = audit(db)
    with pytest.raises(psycopg.Error) as refused:
        db.execute(slip)
    assert refused.value.sqlstate == "ND009"
    assert "only added to" in str(refused.value)
    assert audit(db) == before


@pytest.mark.parametrize("slip", SLIPS)
def test_a_hostile_search_path_opens_nothing(db, slip):
    before = audit(db)
    with pytest.raises(psycopg.Error, match="only added to"), db.transaction():
        db.execute("create schema hostile")
        db.execute(
            "create function hostile.max(bigint) returns bigint language sql return 9000000000"
        )
        db.execute("set local search_path = hostile, pg_catalog")
        db.execute(slip)
    assert audit(db) == before


def test_what_is_past_may_be_deleted_and_nothing_else_with_it(db):
    forget_audit(
        db, change="update notify.audit set at = now() - interval '401 days' where verb = 'cancel'"
    )
    with pytest.raises(psycopg.Error, match="only added to"):
        db.execute("delete from notify.audit")
    assert len(audit(db)) == 2
    db.execute("delete from notify.audit where at < now() - interval '400 days'")
    assert [row.verb for row in audit(db)] == ["redrive"]


def test_what_is_past_is_not_changed(db):
    forget_audit(db, change="update notify.audit set at = now() - interval '401 days'")
    with pytest.raises(psycopg.Error, match="only added to"):
        db.execute("update notify.audit set actor = 'somebody'")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (
            "alter table notify.audit disable trigger keep_audit",
            "keep_audit of notify.audit is",
        ),
        ("drop trigger keep_audit_whole on notify.audit", "keep_audit_whole of notify.audit is"),
    ],
)
def test_who_takes_the_guard_away_is_told_and_migrate_brings_it_back(db, dsn, damage, says):
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("select notify.record_use('shop', null, 'cancel', null)")
        conn.execute(damage)
        query = "select fault from notify.faults(%s, %s, false)"
        faults = conn.execute(query, [list(functions()), tables()]).fetchall()
        assert any(says in fault for (fault,) in faults)
        migrate(dsn)
        assert conn.execute(query, [list(functions()), tables()]).fetchall() == []
        for slip in ("delete from notify.audit", "truncate notify.audit"):
            with pytest.raises(psycopg.Error, match="only added to"):
                conn.execute(slip)


def test_migrating_again_changes_no_row(dsn):
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("select notify.record_use('shop', 'k1', 'cancel', '{\"id\": 1}')")
        before = conn.execute("select * from notify.audit").fetchall()
        conn.execute("delete from public._yoyo_migration where migration_id like '00%%'")
        migrate(dsn)
        assert conn.execute("select * from notify.audit").fetchall() == before
        with pytest.raises(psycopg.Error, match="only added to"):
            conn.execute("delete from notify.audit")
