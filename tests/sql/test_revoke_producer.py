"""A role that may send no more: nothing of what it was granted is left."""

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.ledger import status
from tests.producers import producer

SEND = "select notify.send('log', 'r', '{}') as id"
RIGHTS = """
select a.* from (
  select nspacl from pg_namespace where nspname = 'notify'
  union all select relacl from pg_class where relnamespace = 'notify'::regnamespace
  union all select proacl from pg_proc where pronamespace = 'notify'::regnamespace
  union all select attacl from pg_attribute
    join pg_class c on c.oid = attrelid and c.relnamespace = 'notify'::regnamespace
) as all_acls(acl), aclexplode(acl) a where a.grantee = %s::text::regrole
"""


def test_nothing_is_left_of_what_was_granted(db, dsn):
    with producer(db, dsn, "shop") as session:
        user = [session.info.user]
        assert len(db.execute(RIGHTS, user).fetchall()) > 10
        db.execute("select notify.revoke_producer(%s)", user)
        assert db.execute(RIGHTS, user).fetchall() == []
        assert db.execute("select * from notify.producer_roles").fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(SEND)


def test_other_rights_stay(db, dsn):
    with producer(db, dsn) as session:
        user = Identifier(session.info.user)
        db.execute(SQL("grant select on notify.slo_daily to {}").format(user))
        db.execute("select notify.revoke_producer(%s)", [session.info.user])
        assert session.execute("select count(*) as n from notify.slo_daily").fetchone().n == 0


def test_what_it_sent_stays(db, dsn):
    with producer(db, dsn) as session:
        id = session.execute(SEND).fetchone().id
        db.execute("select notify.revoke_producer(%s)", [session.info.user])
    assert status(db, id) == "queued"
