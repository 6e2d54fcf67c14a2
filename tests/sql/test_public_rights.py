"""notify.public_rights(): four functions, of which two ask for a ticket."""


def test_two_ask_for_a_ticket_one_tells_a_trigger_and_one_writes_a_query(db):
    rows = db.execute(
        "select p.proname, p.prosecdef, p.prosrc ~ 'watch_ticket' as asks"
        " from notify.public_rights() r"
        " join pg_proc p on p.oid = r.name::regprocedure order by 1"
    ).fetchall()
    assert [tuple(r) for r in rows] == [
        ("is_watched", True, False), ("note_watch_fault", True, True), ("put_watched", True, True),
        ("watch_query", False, False),
    ]  # fmt: skip
