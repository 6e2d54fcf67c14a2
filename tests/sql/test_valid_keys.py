"""The valid keys, read only if they have changed: what changes them, and what does not."""

import pytest

from tests.keys import make


def valid(db, digest=None):
    rows = db.execute("select * from notify.valid_keys(%s)", [digest]).fetchall()
    return {row.id for row in rows}, rows[0].digest if rows else digest


def is_new(db, digest):
    return bool(db.execute("select from notify.valid_keys(%s)", [digest]).fetchall())


def test_the_valid_ones_come_with_one_digest_which_says_that_they_are_known(db):
    keys = {make(db, producer=name).id for name in ("a", "b")}
    make(db, "read", expires_at="2020-01-01Z")
    found, digest = valid(db)
    assert found == keys
    assert not is_new(db, digest)
    columns = "id, producer, secret_sha256, scopes, created_at"
    assert (
        db.execute(f"select {columns} from notify.valid_keys(null)").fetchall()
        == db.execute(f"select {columns} from notify.keys(null, true)").fetchall()
    )


def test_no_key_and_none_that_is_valid_are_told_apart(db):
    assert valid(db) == ({None}, "")
    make(db, expires_at="2020-01-01Z")
    found, digest = valid(db)
    assert found == {None}
    assert digest
    assert not is_new(db, digest)


@pytest.mark.parametrize("change", [
    "producer = 'other'", "kind = 'test'", "secret_sha256 = sha256('other')", "scopes = '{read}'",
    "scopes = scopes || '{null}'", "channels = '{}'", "recipients = '{}'", "rate_per_s = 1.0000001",
    "burst = 2", "expires_at = '2100-01-01Z'", "expires_at = 'infinity'", "revoked_at = now()",
    "expires_at = now()", "id = 'other'", "rate_per_s = 'nan'",
])  # fmt: skip
def test_a_change_by_any_hand_is_seen(db, change):
    key, _ = make(db, rate_per_s=1, burst=1), make(db)
    _, digest = valid(db)
    with db.transaction():
        db.execute("set local session_replication_role = replica")
        db.execute("set local extra_float_digits = -15")
        db.execute(f"update notify.api_keys set {change} where id = %s", [key.id])
        assert is_new(db, digest)


def test_one_that_comes_or_goes_is_seen_and_a_last_use_is_not(db):
    key = make(db)
    _, digest = valid(db)
    db.execute("select notify.use_keys(%s)", [[key.id]])
    assert not is_new(db, digest)
    make(db)
    _, two = valid(db)
    assert two != digest
    db.execute("delete from notify.api_keys where id <> %s", [key.id])
    assert valid(db) == ({key.id}, digest)


def test_one_that_ends_by_the_clock_is_seen(db):
    key = make(db)
    db.execute("update notify.api_keys set expires_at = clock_timestamp() + interval '1 s'")
    found, digest = valid(db)
    db.execute("select pg_sleep_until(expires_at) from notify.api_keys")
    assert found == {key.id}
    assert valid(db)[0] == {None}
    assert is_new(db, digest)
