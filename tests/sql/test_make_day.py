"""Make day: the partitions of one day, and the rows they take along."""

from uuid import UUID

import pytest
from psycopg.sql import SQL, Literal

from tests.ledger import put, row

DAY = "(clock_timestamp() at time zone 'utc')::date - 3"


def make_day(db, rows_max=100):
    return [tuple(r) for r in db.execute(f"select * from notify.make_day({DAY}, %s)", [rows_max])]


def put_on_it(db, n):
    floor = db.execute(f"select notify.id_floor({DAY} + interval '12 hours') as id").fetchone().id
    return [put(db, "queued", id=UUID(int=floor.int | (7 << 76) | (1 << 63) | i)) for i in range(n)]


def test_a_day_takes_its_rows_along_and_is_made_once(db):
    ids = put_on_it(db, 3)
    assert [(action, moved) for action, _, moved in make_day(db)] == [("made", 3), ("made", 0)]
    assert all(row(db, id) for id in ids)
    assert db.execute("select count(*) as n from notify.notifications_default").fetchone().n == 0
    assert make_day(db) == []


def test_a_crowded_day_stays_where_it_is(db):
    ids = put_on_it(db, 3)
    assert [(action, moved) for action, _, moved in make_day(db, 2)] == [("crowded", 0)]
    assert all(row(db, id) for id in ids)


def test_what_cannot_be_made_is_told_and_leaves_nothing_behind(db):
    db.execute("create table notify.other (like notify.notifications)")
    put_on_it(db, 1)
    db.execute(
        "create function public.no() returns event_trigger language plpgsql"
        " as $$ begin raise exception 'not here'; end $$"
    )
    db.execute("create event trigger no on ddl_command_start when tag in ('CREATE TABLE')"
               " execute function public.no()")  # fmt: skip
    notices = []
    db.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    assert [action for action, _, _ in make_day(db)] == ["failed"]
    assert "not here" in notices[0]
    assert db.execute("select count(*) as n from notify.notifications_default").fetchone().n == 1


def test_a_day_is_made_where_nothing_may_be_deleted_if_nothing_has_to_be(db):
    db.execute("alter table notify.notifications_default replica identity nothing")
    db.execute("alter table notify.attempts_default replica identity nothing")
    db.execute("create publication theirs for table notify.notifications, notify.attempts")
    assert [(action, moved) for action, _, moved in make_day(db)] == [("made", 0), ("made", 0)]


@pytest.fixture
def tablespaces(db):
    """Make a role that owns the tables, and two tablespaces, in one of which it may create."""
    db.execute("set allow_in_place_tablespaces = on")
    db.execute("create role plain")
    for name in ("theirs", "ours"):
        db.execute(f"create tablespace {name} location ''")
    db.execute("grant create on tablespace ours to plain")
    db.execute("grant all on schema notify to plain")
    db.execute("grant execute on all functions in schema notify to plain")
    for table in ("notifications", "notifications_default", "attempts", "attempts_default"):
        db.execute(f"alter table notify.{table} owner to plain")
    yield
    db.execute("reset role; set default_tablespace = ''")
    db.execute("drop table if exists notify.notifications cascade")
    db.execute("drop table if exists notify.attempts cascade")
    db.execute("drop owned by plain cascade; drop role plain")
    db.execute("drop tablespace theirs")
    db.execute("drop tablespace ours")


@pytest.mark.parametrize(("name", "is_used"), [("theirs", False), ("ours", True)])
def test_a_default_tablespace_is_used_if_we_may_create_in_it(db, tablespaces, name, is_used):
    db.execute(SQL("set role plain; set default_tablespace = {}").format(Literal(name)))
    assert [(action, moved) for action, _, moved in make_day(db)] == [("made", 0), ("made", 0)]
    db.execute("reset role")
    query = (
        "select count(*) as n from pg_class c join pg_tablespace t on t.oid = c.reltablespace"
        " where c.relkind = 'r' and t.spcname in ('theirs', 'ours')"
    )
    assert db.execute(query).fetchone().n == (2 if is_used else 0)


def test_autovacuum_of_a_day_rests_after_each_piece(db):
    """Unthrottled it takes a processor for seconds, longer the longer the day (ADR 30)."""
    make_day(db)
    query = (
        "select c.relname, o.option_value::float8 as ms"
        " from pg_class c, pg_options_to_table(c.reloptions) o"
        " where c.relname = any (%s) and o.option_name = 'autovacuum_vacuum_cost_delay'"
    )
    day = db.execute(f"select to_char({DAY}, 'YYYYMMDD') as day").fetchone().day
    rests = db.execute(query, [[f"notifications_{day}", f"attempts_{day}"]]).fetchall()
    assert len(rests) == 2
    assert all(row.ms > 0 for row in rests)
