"""/keys: an admin makes, lists, rotates and revokes keys."""

import pytest

from tests.integration.api.serving import LINE, Api
from tests.keys import bearer, make


@pytest.fixture
def admin(api: Api, db) -> dict[str, str]:
    """Make an admin's key."""
    key = make(db, "admin", producer="ops")
    api.read_keys()
    return bearer(key)


def create(api: Api, admin, **body):
    return api.post({"producer": "shop"} | body, to="/keys", **admin)


def test_a_new_key_is_shown_once_and_works(api: Api, db, admin) -> None:
    answer = create(api, admin)
    assert (answer.status, answer.headers["Cache-Control"]) == (201, "no-store")
    key = answer.json["key"]
    assert (answer.json["scopes"], answer.json["kind"]) == (["send"], "live")
    assert api.post(LINE, Authorization=f"Bearer {key}").status == 202
    listed = api.get("/keys", **admin)
    assert [item["producer"] for item in listed.json["items"]] == ["shop", "ops"]
    secret = key.split("_")[2]
    assert secret not in listed.body.decode()
    assert "sha256" not in listed.body.decode()
    rows = db.execute("select k::text from notify.api_keys k").fetchall()
    assert not any(secret in row[0] for row in rows)


def test_a_third_of_the_same_kind_and_scopes_is_refused(api: Api, admin) -> None:
    first, second = create(api, admin), create(api, admin, scopes=["send", "send"])
    answer = create(api, admin)
    assert (answer.status, answer.json["code"]) == (409, "too_many_keys")
    assert create(api, admin, scopes=["read"]).status == 201
    assert create(api, admin, kind="test").status == 201
    api.post({}, to=f"/keys/{first.json['id']}/revoke", **admin)
    assert create(api, admin).status == 201
    assert second.status == 201


def test_a_rotation_leaves_both_for_the_grace(api: Api, admin) -> None:
    old = create(api, admin, scopes=["send", "read"], rate_per_s=5, burst=9, recipients=["team"])
    new = api.post({"grace_s": 3600}, to=f"/keys/{old.json['id']}/rotate", **admin)
    assert new.status == 201
    kept = ("producer", "kind", "scopes", "channels", "recipients", "rate_per_s", "burst")
    assert {n: new.json[n] for n in kept} == {n: old.json[n] for n in kept}
    for made in (old, new):
        key = f"Bearer {made.json['key']}"
        assert api.post(LINE | {"recipient": "team"}, Authorization=key).status == 202
    again = api.post({"grace_s": 3600}, to=f"/keys/{old.json['id']}/rotate", **admin)
    assert (again.status, again.json["code"]) == (409, "too_many_keys")


def test_a_leaked_key_ends_at_once(api: Api, admin) -> None:
    old = create(api, admin).json
    new = api.post({"grace_s": 0}, to=f"/keys/{old['id']}/rotate", **admin).json
    api.read_keys()
    assert api.post(LINE, Authorization=f"Bearer {old['key']}").status == 401
    assert api.post(LINE, Authorization=f"Bearer {new['key']}").status == 202
    for verb in ("revoke", "revoke"):
        answer = api.post({}, to=f"/keys/{new['id']}/{verb}", **admin)
        assert (answer.status, answer.json["id"]) == (200, new["id"])
        assert answer.json["revoked_at"]
    gone = api.post({}, to=f"/keys/{new['id']}/rotate", **admin)
    assert (gone.status, gone.json["code"]) == (404, "key_not_found")


@pytest.mark.parametrize("id", ["nobody", "%00", "x" * 64, "%F0%9F%94%91", "..%2f"])
@pytest.mark.parametrize("verb", ["revoke", "rotate"])
def test_what_names_no_key_is_a_404(api: Api, admin, id: str, verb: str, tracebacks) -> None:
    answer = api.post({}, to=f"/keys/{id}/{verb}", **admin)
    assert (answer.status, answer.json["code"]) == (404, "key_not_found")
    assert not tracebacks


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"producer": ""}, "/producer"),
        ({"producer": " x"}, "/producer"),
        ({"producer": "a\nb"}, "/producer"),
        ({"producer": "x" * 64}, "/producer"),
        ({"producer": "a\u0000"}, "/producer"),
        ({"producer": "\u200b"}, "/producer"),
        ({"producer": "shop\u202e"}, "/producer"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["everything"]}, "/scopes"),
        ({"scopes": ["send:fax"]}, "/scopes"),
        ({"kind": "dead"}, "/kind"),
        ({"kind": "test", "scopes": ["admin"]}, "/scopes"),
        ({"kind": "team"}, "/recipients"),
        ({"recipients": []}, "/recipients"),
        ({"recipients": ["https://*/"]}, "/recipients"),
        ({"channels": ["fax"]}, "/channels"),
        ({"rate_per_s": 0}, "/rate_per_s"),
        ({"rate_per_s": 1e300}, "/rate_per_s"),
        ({"burst": 5}, "/burst"),
        ({"burst": 10**12, "rate_per_s": 1}, "/burst"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
    ],
)
def test_what_a_key_cannot_be_is_refused_with_its_field(api, db, admin, body, pointer) -> None:
    answer = create(api, admin, **body)
    assert answer.status == 422
    assert answer.json["errors"][0]["pointer"] == pointer
    assert db.execute("select count(*) from notify.api_keys").fetchone() == (1,)


def test_a_limit_that_is_out_of_range_is_told_the_range(api: Api, admin) -> None:
    details = [
        create(api, admin, **limit).json["errors"][0]["detail"]
        for limit in ({"rate_per_s": 0}, {"rate_per_s": 1, "burst": 0})
    ]
    assert ["0.001 to 100000" in details[0], "1 to 1000000" in details[1]] == [True, True]


def test_each_verb_is_in_the_audit_with_who_asked(api: Api, db, admin) -> None:
    made = create(api, admin).json
    api.post({}, to=f"/keys/{made['id']}/rotate", **admin)
    api.post({}, to=f"/keys/{made['id']}/revoke", **admin)
    by = admin["Authorization"].split("_")[1]
    uses = db.execute("select actor, key_id, verb, detail from notify.audit order by id").fetchall()
    assert [use[:3] for use in uses[1:]] == [
        ("ops", by, "keys.create"), ("ops", by, "keys.rotate"), ("ops", by, "keys.revoke"),
    ]  # fmt: skip
    assert made["key"].split("_")[2] not in str(uses)
