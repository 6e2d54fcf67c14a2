"""The list of keys: whole, or only what is valid; and readable whatever a hand wrote."""

import pytest

from tests.keys import make


def listed(db, id=None, only_valid=False):
    return db.execute("select * from notify.keys(%s, %s)", [id, only_valid]).fetchall()


def test_the_newest_come_first_and_one_can_be_asked_for(db):
    keys = [make(db, producer=name) for name in ("a", "b", "c")]
    assert [row.id for row in listed(db)] == [key.id for key in keys[::-1]]
    assert [row.producer for row in listed(db, keys[1].id)] == ["b"]
    assert listed(db, "nobody") == []


def test_what_has_ended_is_left_out_if_wanted(db):
    valid, later = make(db, "send"), make(db, "read", expires_at="2100-01-01Z")
    endless = make(db, "read:payload", expires_at="infinity")
    make(db, "operate", expires_at="2020-01-01Z")
    revoked = make(db, "admin")
    db.execute("update notify.api_keys set revoked_at = now() where id = %s", [revoked.id])
    assert {row.id for row in listed(db, only_valid=True)} == {valid.id, later.id, endless.id}
    assert len(listed(db)) == 5


@pytest.mark.parametrize("odd", ["infinity", "-infinity", "294000-01-01Z", "0044-03-15Z BC"])
def test_an_odd_time_stays_readable(db, odd):
    key = make(db)
    for column in ("created_at", "expires_at", "revoked_at", "last_used_at"):
        db.execute(f"update notify.api_keys set {column} = %s where id = %s", [odd, key.id])
    [row] = listed(db)
    assert 1970 <= row.created_at.year <= 9999
