"""Which role speaks: tests/sql/test_producer_of.py has what follows from it."""

from psycopg.sql import SQL, Identifier


def speaking(db):
    return db.execute("select notify.speaking_role() as name").fetchone().name


def test_it_is_that_of_set_role_else_that_of_the_session(db):
    name = f"speaker_{db.info.backend_pid}"
    db.execute(SQL("create role {}").format(Identifier(name)))
    try:
        assert speaking(db) == db.info.user
        db.execute(SQL("grant usage on schema notify to {}").format(Identifier(name)))
        db.execute(
            SQL("grant execute on all functions in schema notify to {}").format(Identifier(name))
        )
        db.execute(SQL("set role {}").format(Identifier(name)))
        assert speaking(db) == name
    finally:
        db.execute("reset role")
        db.execute(SQL("drop owned by {}; drop role {}").format(Identifier(name), Identifier(name)))
