"""notify.open_watches(): PUBLIC may call three functions while there are watches."""

from service.ledger.migrate import migrate
from tests.producers import role
from tests.sql.watching import ORDERS, watch

OPENED = {"put_watched", "note_watch_fault", "watch_query", "is_watched"}
CALLABLE = """
select p.proname from pg_proc p where p.pronamespace = 'notify'::regnamespace
  and has_function_privilege(%(role)s, p.oid, 'execute')
  and has_schema_privilege(%(role)s, 'notify', 'usage')
"""


def callable_by(db, user):
    return {r.proname for r in db.execute(CALLABLE, {"role": user})}


def test_the_first_watch_opens_it_and_a_deploy_keeps_it_open(db, dsn):
    db.execute(ORDERS)
    with role(db) as user:
        assert callable_by(db, user) == set()
        watch(db)
        assert callable_by(db, user) == {"new_id"} | OPENED
        db.execute("select notify.keep_rights()")
        assert callable_by(db, user) == {"new_id"} | OPENED
        assert migrate(dsn) == []
        assert db.execute("select * from notify.rights_amiss()").fetchall() == []


def test_when_the_last_watch_is_gone_a_deploy_closes_it(db):
    db.execute(ORDERS)
    with role(db) as user:
        db.execute("select notify.off_change(%s)", [watch(db)])
        assert db.execute("select * from notify.rights_amiss()").fetchall() == []
        db.execute("select notify.keep_rights()")
        assert callable_by(db, user) == {"new_id"}


def test_what_a_watch_lacks_is_named(db):
    db.execute(ORDERS)
    watch(db)
    db.execute("revoke execute on function notify.put_watched from public")
    [row] = db.execute("select fault from notify.rights_amiss()").fetchall()
    assert row.fault.startswith("public may not execute notify.put_watched(")
