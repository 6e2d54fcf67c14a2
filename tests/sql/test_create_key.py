"""Making keys: two of a kind and scopes are valid at once, however many ask at the same moment."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from service.access.key import minted
from tests.keys import CREATE, make


def create(db, *scopes, producer="shop", kind="live"):
    key = minted()
    return db.execute(CREATE, [
        key.id, key.sha256, producer, kind, list(scopes), None, None, None, None, None, "ops", "k1",
    ]).fetchone()[0]  # fmt: skip


def test_a_key_is_kept_with_its_rights_and_a_hash_alone(db):
    key = make(db, "send", "read", channels=["email"], recipients=["*@example.org"], rate_per_s=2,
               burst=3, expires_at="2100-01-01Z")  # fmt: skip
    kept = db.execute("select * from notify.api_keys").fetchone()
    assert (kept.id, kept.producer, kept.kind, kept.scopes) == (
        key.id, "shop", "live", ["send", "read"]
    )  # fmt: skip
    assert (kept.channels, kept.recipients) == (["email"], ["*@example.org"])
    assert (kept.rate_per_s, kept.burst, kept.expires_at.year) == (2, 3, 2100)
    assert kept.secret_sha256 == key.sha256
    assert kept.created_by == db.execute("select session_user").fetchone()[0]


def test_a_third_of_the_same_kind_and_scopes_is_refused_in_any_order_of_scopes(db):
    assert create(db, "send", "read") is None
    assert create(db, "read", "send") is None
    assert create(db, "send", "read") == "too_many_keys"
    assert create(db, "send") is None
    assert create(db, "send", "read", kind="test") is None
    assert create(db, "send", "read", producer="bank") is None


@pytest.mark.parametrize("ended", ["revoked_at = now()", "expires_at = now()"])
def test_one_that_has_ended_makes_room(db, ended):
    assert create(db, "send") is create(db, "send") is None
    db.execute(
        f"update notify.api_keys set {ended} where id = (select min(id) from notify.api_keys)"
    )
    assert create(db, "send") is None
    assert create(db, "send") == "too_many_keys"


def test_at_once_no_more_than_two_are_made(dsn, db):
    def one(_):
        with psycopg.connect(dsn, autocommit=True) as connection:
            return create(connection, "send")

    with ThreadPoolExecutor(10) as threads:
        results = list(threads.map(one, range(10)))
    assert sorted(map(str, results)) == ["None"] * 2 + ["too_many_keys"] * 8
    assert db.execute("select count(*) from notify.api_keys").fetchone() == (2,)


def test_the_audit_says_who_made_it(db):
    create(db, "send")
    assert create(db, "send") is None
    assert create(db, "send") == "too_many_keys"
    uses = db.execute(
        "select actor, key_id, verb, detail ->> 'producer' from notify.audit"
    ).fetchall()
    assert uses == [("ops", "k1", "keys.create", "shop")] * 2


def test_an_unknown_kind_and_a_hash_that_is_none_are_refused(db):
    with pytest.raises(psycopg.errors.CheckViolation):
        create(db, "send", kind="dead")
    with pytest.raises(psycopg.errors.CheckViolation):
        db.execute("insert into notify.api_keys (id, producer, secret_sha256, scopes, created_by)"
                   " values ('a', 'b', 'c', '{send}', 'd')")  # fmt: skip
