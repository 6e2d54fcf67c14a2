"""Enqueueing as one statement: all rows, or none."""

import json

import psycopg
import pytest

from tests.sql.test_enqueue import minimal, stored


@pytest.fixture
def db(shared_db):
    return shared_db


def enqueue_all(db, *rows):
    query = "select * from notify.enqueue_all(%s::jsonb)"
    return db.execute(query, [json.dumps(rows)]).fetchall()


def test_all_are_inserted_as_one_in_their_order(db):
    got = enqueue_all(db, *(minimal(reference=str(n)) for n in range(50)))
    assert [g.ord for g in got] == list(range(1, 51))
    kept = db.execute("select id, reference from notify.notifications")
    assert {r.id: r.reference for r in kept} == {g.id: str(g.ord - 1) for g in got}


@pytest.mark.parametrize(
    "act", ["return null;", "new.id := notify.new_id(); return new;", "return new;"]
)
def test_as_one_nothing_is_inserted_where_somebody_else_has_a_say(faulty_db, act):
    db = faulty_db
    db.execute(
        "create function public.fault() returns trigger language plpgsql as"
        f" $$ begin {act} end $$;"
        "create trigger aa_fault before insert on notify.notifications"
        " for each row execute function public.fault()"
    )
    with pytest.raises(psycopg.Error) as caught:
        enqueue_all(db, minimal(), minimal())
    assert caught.value.sqlstate == "ND003"
    assert stored(db) == set()


def test_as_one_a_bad_row_spoils_all(db):
    with pytest.raises(psycopg.errors.CheckViolation):
        enqueue_all(db, minimal(), minimal(channel="fax"))
    assert stored(db) == set()
