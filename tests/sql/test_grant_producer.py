"""An owner lets a role send, without being able to create roles."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from service.ledger.migrate import migrate
from tests.ledger import row
from tests.producers import producer, role
from tests.sql.watching import ORDERS, told, watch
from tests.waiting import wait_for, wait_until_blocked

SEND = "select notify.send('log', 'r', '{}') as id"


def producer_of(db, session):
    return row(db, session.execute(SEND).fetchone().id).producer


def test_a_role_is_its_own_producer(db, dsn):
    with producer(db, dsn) as session:
        assert producer_of(db, session) == session.info.user


def test_a_role_speaks_for_the_producer_that_was_named(db, dsn):
    with producer(db, dsn, "shop") as session:
        assert producer_of(db, session) == "shop"


def test_granting_again_keeps_the_name_or_takes_the_new_one(db, dsn):
    with producer(db, dsn, "shop") as session:
        db.execute("select notify.grant_producer(%s)", [session.info.user])
        assert producer_of(db, session) == "shop"
        db.execute("select notify.grant_producer(%s, producer => 'store')", [session.info.user])
        assert producer_of(db, session) == "store"


WATCHES = "select made_by, producer from notify.watches order by id"


def test_another_name_takes_the_watches_of_its_role_along(db, dsn):
    db.execute(ORDERS)
    with producer(db, dsn, "shop") as one, producer(db, dsn, "shop") as two:
        for session in (one, two):
            db.execute(SQL("grant trigger on orders to {}").format(Identifier(session.info.user)))
            watch(session)
        db.execute("select notify.grant_producer(%s, producer => 'store')", [one.info.user])
        db.execute("insert into orders values (1)")
        assert one.execute(WATCHES).fetchall() == [(one.info.user, "store")]
        assert two.execute(WATCHES).fetchall() == [(two.info.user, "shop")]
        assert sorted(t.producer for t in told(db)) == ["shop", "store"]


def test_a_role_that_could_send_before_takes_its_watches_along(db, dsn):
    db.execute(ORDERS)
    with producer(db, dsn) as session:
        db.execute(SQL("grant trigger on orders to {}").format(Identifier(session.info.user)))
        id = watch(session)
        db.execute("select notify.grant_producer(%s, producer => 'shop')", [session.info.user])
        assert session.execute(WATCHES).fetchall() == [(session.info.user, "shop")]
        assert session.execute("select notify.off_change(%s) as was_on", [id]).fetchone().was_on


def test_a_deploy_gives_watches_of_before_to_whom_their_makers_speak_for(db, dsn):
    db.execute(ORDERS)
    with producer(db, dsn, "shop") as session:
        db.execute(SQL("grant trigger on orders to {}").format(Identifier(session.info.user)))
        watch(session)
        db.execute("update notify.kept_watches set producer = 'of before'")
        db.execute("delete from public._yoyo_migration where migration_id like '9999-%'")
        migrate(dsn)
        assert session.execute(WATCHES).fetchall() == [(session.info.user, "shop")]


VERBS = (
    "select notify.grant_producer(%s)",
    "select notify.revoke_producer(%s)",
    "select notify.keep_rights() where %s <> ''",
)


@pytest.mark.parametrize("second", VERBS)
@pytest.mark.parametrize("first", VERBS)
def test_two_that_change_rights_at_once_both_succeed(db, dsn, other_db, first, *, second):
    with role(db) as one, role(db) as two, ThreadPoolExecutor(1) as pool:
        for user in (one, two):
            db.execute("select notify.grant_producer(%s)", [user])
        with psycopg.connect(dsn) as earlier:
            earlier.execute(first, [one])
            later = pool.submit(other_db.execute, second, [two])
            wait_until_blocked(db, other_db.info.backend_pid)
        later.result()


def test_a_grant_and_a_deploy_at_once_both_succeed(db, dsn):
    db.execute("delete from public._yoyo_migration where migration_id like '9999-%'")
    with role(db) as user, ThreadPoolExecutor(1) as pool:
        with psycopg.connect(dsn) as earlier:
            earlier.execute("select notify.grant_producer(%s)", [user])
            later = pool.submit(migrate, dsn)
            wait_for(lambda: db.execute(
                "select from pg_stat_activity where %s = any (pg_blocking_pids(pid))",
                [earlier.info.backend_pid]).fetchone() is not None)  # fmt: skip
        assert len(later.result()) == 1


def test_two_roles_of_one_producer_share_outcomes(db, dsn):
    with producer(db, dsn, "shop") as one, producer(db, dsn, "shop") as two:
        id = one.execute(SEND).fetchone().id
        assert [o.id for o in two.execute("select * from notify.outcomes()")] == [id]


@pytest.mark.parametrize(
    "name", ["", "x" * 64, "a\nb", "a\u0085b", "\u200b", "shop\ufeff", " shop", "shop "]
)
def test_what_is_no_name_is_refused(db, name):
    with role(db) as user, pytest.raises(psycopg.errors.CheckViolation) as caught:
        db.execute("select notify.grant_producer(%s, %s)", [user, name])
    assert caught.value.diag.constraint_name == "producer_is_1_to_63_printable_characters"


@pytest.mark.parametrize("name", ["x" * 63, "é" * 63, "Bob's shop; drop table", "%I"])
def test_what_is_a_name_is_taken(db, dsn, name):
    with producer(db, dsn, name) as session:
        assert producer_of(db, session) == name


def test_a_role_with_an_odd_name_is_granted_to_as_it_is_spelt(db):
    name = f'O"Neil; x {db.info.backend_pid}'
    db.execute(SQL("create role {}").format(Identifier(name)))
    db.execute("select notify.grant_producer(%s)", [name])
    may = "select has_function_privilege(oid, 'notify.outcomes', 'execute') as may from pg_roles"
    may = may.replace("'notify.outcomes'", "'notify.outcomes'::regproc::oid")
    assert db.execute(may + " where rolname = %s", [name]).fetchone().may
    db.execute(SQL("drop owned by {0}; drop role {0}").format(Identifier(name)))
