"""Which errors may be about a row: all that a trigger can raise, unless the server cannot write."""

import pytest

OWN = ("08001", "25006", "40P01", "53100", "57P03", "58030", "F0000", "55P03")
OTHERS = ("23514", "22003", "P0001", "P0004", "42501", "XX000", "ND001")


@pytest.fixture
def db(shared_db):
    return shared_db


def blames_row(db, sqlstate):
    return db.execute("select notify.blames_row(%s) as b", [sqlstate]).fetchone().b


@pytest.mark.parametrize("state", OWN + OTHERS)
def test_any_error_may_be_about_a_row_while_the_server_writes(db, state):
    assert blames_row(db, state) is True
    assert db.execute("select sum(count) as n from notify.slo_deltas").fetchone().n in (None, 0)


@pytest.mark.parametrize("state", OWN)
def test_what_the_server_says_of_itself_blames_no_row_if_it_cannot_write(db, state):
    with db.transaction():
        db.execute("set transaction read only")
        assert blames_row(db, state) is False


@pytest.mark.parametrize("state", OTHERS)
def test_what_only_a_row_can_cause_is_not_asked_about(db, state):
    with db.transaction():
        db.execute("set transaction read only")
        assert blames_row(db, state) is True


def test_where_an_assertion_keeps_the_write_back_no_row_is_blamed(faulty_db):
    faulty_db.execute(
        "create function public.fault() returns trigger language plpgsql as"
        " 'begin assert false; end'; create trigger fault before insert on notify.slo_deltas"
        " for each row execute function public.fault()"
    )
    assert blames_row(faulty_db, "40P01") is False
