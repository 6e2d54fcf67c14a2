"""The server's identifier, for every role of ours."""


def identifier(db):
    return db.execute("select notify.server_identifier() as id").fetchone().id


def test_it_is_that_of_the_server(db):
    asked = db.execute("select system_identifier as id from pg_control_system()").fetchone()
    assert identifier(db) == asked.id


def test_a_role_that_may_not_read_it_gets_it_from_the_owner(db):
    db.execute("create role asker")
    try:
        db.execute("grant usage on schema notify to asker")
        db.execute("grant execute on all functions in schema notify to asker")
        named = identifier(db)
        db.execute("revoke execute on function pg_control_system() from public; set role asker")
        assert identifier(db) == named
    finally:
        db.execute("reset role; grant execute on function pg_control_system() to public")
        db.execute("drop owned by asker; drop role asker")


def test_it_is_unknown_where_not_even_the_owner_may_read_it(db):
    db.execute("create role asker")
    try:
        db.execute(
            "alter function notify.server_identifier() owner to asker;"
            "revoke execute on function pg_control_system() from public"
        )
        assert identifier(db) is None
    finally:
        db.execute("grant execute on function pg_control_system() to public")
        db.execute("reassign owned by asker to current_user; drop owned by asker; drop role asker")
