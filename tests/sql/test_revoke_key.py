"""Revoking: for good, as often as one likes."""

from tests.keys import make

REVOKE = "select notify.revoke_key(%s, %s, %s)"


def test_a_revoked_key_stays_revoked_from_the_first_time_on(db):
    key = make(db)
    assert db.execute(REVOKE, [key.id, "ops", "k1"]).fetchone() == (True,)
    first = db.execute("select revoked_at from notify.api_keys").fetchone()
    assert db.execute(REVOKE, [key.id, None, None]).fetchone() == (True,)
    assert db.execute("select revoked_at from notify.api_keys").fetchone() == first
    assert first.revoked_at is not None
    uses = db.execute("select actor, key_id, verb, detail from notify.audit order by id").fetchall()
    role = db.execute("select session_user").fetchone()[0]
    assert uses[1:] == [
        ("ops", "k1", "keys.revoke", {"id": key.id}), (role, None, "keys.revoke", {"id": key.id}),
    ]  # fmt: skip


def test_nobodys_key_is_not_revoked(db):
    make(db)
    assert db.execute(REVOKE, ["nobody", None, None]).fetchone() == (False,)
    assert db.execute("select count(revoked_at) from notify.api_keys").fetchone() == (0,)
