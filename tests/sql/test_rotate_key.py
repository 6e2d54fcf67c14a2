"""Rotating: the successor may what the old one may, and the old one ends after its grace."""

import pytest

from service.access.key import minted
from tests.keys import make

ROTATE = "select notify.rotate_key(%s, %s, %s, %s, 'ops', 'k1')"


def rotate(db, id, grace="1 day"):
    new = minted()
    return new, db.execute(ROTATE, [id, new.id, new.sha256, grace]).fetchone()[0]


def kept(db, key):
    return db.execute("select * from notify.api_keys where id = %s", [key.id]).fetchone()


def test_the_successor_has_the_same_rights_and_the_old_one_ends_after_the_grace(db):
    old = make(db, "send", "read", kind="team", channels=["email"], recipients=["*@a.example"],
               rate_per_s=2, burst=3)  # fmt: skip
    new, refusal = rotate(db, old.id)
    assert refusal is None
    before, after = kept(db, old), kept(db, new)
    for name in ("producer", "kind", "scopes", "channels", "recipients", "rate_per_s", "burst"):
        assert getattr(before, name) == getattr(after, name)
    assert after.secret_sha256 == new.sha256
    assert after.expires_at is None
    assert (
        before.expires_at - after.created_at == db.execute("select interval '1 day'").fetchone()[0]
    )
    [use] = db.execute("select actor, key_id, detail from notify.audit where verb = 'keys.rotate'")
    assert use == ("ops", "k1", {"id": old.id, "new_id": new.id})


def test_a_life_of_90_days_is_one_of_90_days_again_and_no_grace_makes_it_longer(db):
    old = make(db)
    db.execute("update notify.api_keys set created_at = now() - interval '89 days 23 hours',"
               " expires_at = now() + interval '1 hour'")  # fmt: skip
    ends = kept(db, old).expires_at
    new, _ = rotate(db, old.id)
    assert kept(db, old).expires_at == ends
    assert (kept(db, new).expires_at - kept(db, new).created_at).days == 90


def test_one_without_an_end_that_says_so_stays_without(db):
    old = make(db, expires_at="infinity")
    new, refusal = rotate(db, old.id)
    assert refusal is None
    [(is_endless,)] = db.execute(
        "select expires_at = 'infinity' from notify.api_keys where id = %s", [new.id]
    ).fetchall()
    assert is_endless


def test_while_two_are_valid_a_third_is_refused_unless_the_old_one_ends_at_once(db):
    old, _ = make(db), make(db)
    assert rotate(db, old.id)[1] == "too_many_keys"
    assert rotate(db, old.id, "0")[1] is None
    assert kept(db, old).expires_at <= db.execute("select clock_timestamp()").fetchone()[0]
    assert rotate(db, old.id)[1] == "key_not_found"


@pytest.mark.parametrize("ended", ["revoked_at = now()", "expires_at = now()"])
def test_what_has_ended_gets_no_successor(db, ended):
    old = make(db)
    db.execute(f"update notify.api_keys set {ended}")
    assert rotate(db, old.id)[1] == "key_not_found"
    assert rotate(db, "nobody")[1] == "key_not_found"
    assert db.execute("select count(*) from notify.api_keys").fetchone() == (1,)
