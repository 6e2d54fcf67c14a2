"""Is long: whether the ledger has more days than a statement may open at once."""


def is_long(db):
    return db.execute("select notify.is_long() as x").fetchone().x


def test_thirty_days_and_those_ahead_are_not_long_and_eighty_are(shared_db, long_db):
    assert not is_long(shared_db)
    assert is_long(long_db)
