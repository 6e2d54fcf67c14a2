"""notify.watch_ticket(): one for each watch, session and transaction."""

TICKET = "select notify.watch_ticket(%s) as t"


def ticket(session, watch=1):
    return session.execute(TICKET, [watch]).fetchone().t


def test_it_stays_within_a_transaction_and_is_another_in_the_next(db):
    with db.transaction():
        first = ticket(db)
        assert ticket(db) == first
        assert len(first) == 64
    assert ticket(db) != first


def test_it_is_another_for_another_watch_or_session(db, other_db):
    with db.transaction(), other_db.transaction():
        assert len({ticket(db), ticket(db, 2), ticket(other_db), ticket(other_db, 2)}) == 4


def test_it_needs_the_secret(db):
    with db.transaction():
        first = ticket(db)
        db.execute("update notify.watch_secret set secret = secret || '\\x00'")
        assert ticket(db) != first
        db.execute("delete from notify.watch_secret")
        assert ticket(db) is None
