"""Bringing forward: queued rows fall due earlier, never later, and nothing else of them changes."""

from tests.ledger import ago, change, put, row


def bring(db, pairs):
    pairs = sorted(pairs)
    return db.execute(
        "select notify.bring_forward(%s, %s, clock_timestamp() + interval '1 second') as n",
        [[id for id, _ in pairs], [due_at for _, due_at in pairs]],
    ).fetchone().n  # fmt: skip


def test_a_row_is_never_put_off(shared_db):
    db, soon, late = shared_db, ago(shared_db, "-1 minute"), ago(shared_db, "-1 hour")
    early, far = put(db, "queued", due_at=soon), put(db, "queued", due_at=late)
    assert bring(db, [(early, late), (far, soon)]) == 2
    assert row(db, early).due_at == row(db, far).due_at == soon


def test_what_was_claimed_meanwhile_is_left_alone(shared_db):
    id = put(shared_db, "sending", due_at=ago(shared_db, "-1 hour"))
    before = row(shared_db, id)
    assert bring(shared_db, [(id, ago(shared_db, "0 s"))]) == 0
    assert row(shared_db, id) == before


def test_patience_began_now_at_the_latest(shared_db):
    id = put(shared_db, "queued", due_at=ago(shared_db, "-1 hour"))
    change(shared_db, id, first_claimed_at=ago(shared_db, "-2 hours"))
    bring(shared_db, [(id, ago(shared_db, "0 s"))])
    assert row(shared_db, id).first_claimed_at <= ago(shared_db, "0 s")


def test_patience_does_not_begin_before_the_first_claim(shared_db):
    id = put(shared_db, "queued", due_at=ago(shared_db, "-1 hour"))
    bring(shared_db, [(id, ago(shared_db, "0 s"))])
    assert row(shared_db, id).first_claimed_at is None


def test_nothing_is_nothing(shared_db):
    assert bring(shared_db, []) == 0
