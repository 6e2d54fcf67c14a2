"""Who a producer is: the role that speaks, or what it was granted as."""

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.producers import role as a_role

INSERT = (
    "insert into notify.notifications (channel, recipient, payload, producer)"
    " values ('log', 'r', '1', %s)"
)


@pytest.fixture
def role(db):
    name = f"shop_{db.info.backend_pid}"
    for statement in (
        "create role {}",
        "grant usage on schema notify to {}",
        "grant insert on notify.notifications to {}",
    ):
        db.execute(SQL(statement).format(Identifier(name)))
    yield name
    db.execute("reset role")
    db.execute(SQL("drop owned by {}; drop role {}").format(Identifier(name), Identifier(name)))


def producer_of(db, role):
    return db.execute("select notify.producer_of(%s) as name", [role]).fetchone().name


def become(db, role):
    db.execute(SQL("set role {}").format(Identifier(role)))


def inserted(db, producer=None):
    """Say to whom a row belongs that the role of the session inserts."""
    db.execute(INSERT, [producer])
    db.execute("reset role")
    query = "select producer from notify.notifications order by id desc limit 1"
    return db.execute(query).fetchone().producer


def test_a_role_is_its_own_producer_unless_it_was_granted_as_another(db):
    assert producer_of(db, "till") == "till"
    db.execute("insert into notify.producer_roles values ('till', 'shop')")
    db.execute("select notify.name_producers()")
    assert producer_of(db, "till") == "shop"


def test_a_row_belongs_to_the_role_that_speaks(db, role):
    assert inserted(db) == db.info.user
    become(db, role)
    assert inserted(db) == role
    db.execute("insert into notify.producer_roles values (%s, 'shop')", [role])
    db.execute("select notify.name_producers()")
    become(db, role)
    assert inserted(db) == "shop"


def test_a_producer_cannot_name_another(db, role):
    become(db, role)
    assert inserted(db, "bank") == role


def test_who_may_only_read_the_apis_keys_speaks_for_nobody_else(db, role):
    db.execute(SQL("grant select on notify.api_keys to {}").format(Identifier(role)))
    become(db, role)
    assert inserted(db, "bank") == role


def test_who_may_update_the_apis_keys_speaks_for_other_producers(db, role):
    assert inserted(db, "bank") == "bank"
    db.execute(SQL("grant update on notify.api_keys to {}").format(Identifier(role)))
    become(db, role)
    assert inserted(db, "bank") == "bank"


def test_a_function_with_its_owners_rights_speaks_for_the_session(db, role):
    """Or every table's trigger that runs as its owner would hide who inserted."""
    db.execute(
        "create function public.tell() returns void language sql security definer as"
        f" $$ {INSERT % 'null'} $$"
    )
    become(db, role)
    db.execute("select public.tell()")
    db.execute("reset role")
    query = "select producer from notify.notifications"
    assert [r.producer for r in db.execute(query)] == [role]


KEYED = "select notify.send('log', 'r', '1', idempotency_key => 'k') as id"


def sent_by(dsn, login):
    """Send with one key, as a new connection and as a pooler hands it on; give both ids."""
    with psycopg.connect(dsn, user=login, password="p", autocommit=True) as session:
        first = session.execute(KEYED).fetchone()
        session.execute("discard all")
        return [first, session.execute(KEYED).fetchone()]


@pytest.fixture
def logins(db):
    """Two logins that may send only as members of a group; give the group, too."""
    with a_role(db) as group, a_role(db) as first, a_role(db) as second:
        db.execute("select notify.grant_producer(%s)", [group])
        members = SQL("grant {} to {}, {}")
        db.execute(members.format(*map(Identifier, (group, first, second))))
        yield group, first, second


def test_each_member_of_a_group_is_a_producer(db, dsn, logins):
    assert len({*sent_by(dsn, logins[1]), *sent_by(dsn, logins[2])}) == 2
    query = "select producer from notify.notifications order by id"
    assert [r.producer for r in db.execute(query)] == [*logins[1:]]


def test_members_whose_role_is_set_to_the_group_are_one_producer(db, dsn, logins):
    group, *members = logins
    for member in members:
        db.execute(SQL("alter role {} set role {}").format(*map(Identifier, (member, group))))
    assert len({*sent_by(dsn, members[0]), *sent_by(dsn, members[1])}) == 1
    assert db.execute("select producer from notify.notifications").fetchone().producer == group


def test_members_that_are_granted_as_the_group_are_one_producer(db, dsn, logins):
    group, *members = logins
    for member in members:
        db.execute("select notify.grant_producer(%s, producer => %s)", [member, group])
    assert len({*sent_by(dsn, members[0]), *sent_by(dsn, members[1])}) == 1
    assert db.execute("select producer from notify.notifications").fetchone().producer == group


@pytest.mark.parametrize("producer", ["", "p" * 256, "a\nb"])
def test_a_producer_without_a_proper_name_is_refused(db, producer):
    with pytest.raises(Exception, match="producer_is_1_to_255_printable_characters"):
        db.execute(INSERT, [producer])


def test_a_role_of_any_name_is_a_producer(db):
    odd = f'odd "{db.info.backend_pid} ü'
    db.execute(SQL("create role {}").format(Identifier(odd)))
    try:
        db.execute(SQL("grant usage on schema notify to {}").format(Identifier(odd)))
        db.execute(SQL("grant insert on notify.notifications to {}").format(Identifier(odd)))
        become(db, odd)
        assert inserted(db) == odd
    finally:
        db.execute("reset role")
        db.execute(SQL("drop owned by {}; drop role {}").format(Identifier(odd), Identifier(odd)))
