"""What a key may do counts for each item of a batch."""

import json
from typing import Any

import pytest
from psycopg import Connection

from service.access.key import Secret, minted
from service.api.batcher import Batcher
from tests.integration.api.serving import HOOK, LINE, MAIL, Api, serving

MADE = """
insert into notify.api_keys (id, producer, kind, secret_sha256, created_by, scopes, channels,
  recipients, rate_per_s, burst)
values (%(id)s, %(producer)s, %(kind)s, %(sha256)s, 'a test', %(scopes)s, %(channels)s,
  %(recipients)s, %(rate_per_s)s, %(burst)s)
"""


def a_key(db: Connection[Any], **rights: Any) -> Secret:
    """Make a key that may send, within these bounds."""
    secret = minted()
    unbound = dict.fromkeys(("channels", "recipients", "rate_per_s", "burst"))
    values = unbound | {"producer": "shop", "kind": "live", "scopes": ["send"]} | rights
    db.execute(MADE, values | {"id": secret.id, "sha256": secret.sha256})
    return secret


def post(api: Api, key: Secret, batch: Any) -> Any:
    """POST a batch with a key."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    return api.ask("POST", "/notify/batch", json.dumps(batch).encode(), **headers)


def codes(answer: Any) -> list[str | None]:
    """Give the code of each item's problem; None: it was accepted."""
    return [item.get("problem", {"code": None})["code"] for item in answer.json["items"]]


def test_channels_and_recipients_of_a_key_are_asked_for_each_item(dsn: str, db) -> None:
    key = a_key(db, channels=["webhook", "log"], recipients=["https://example.org/*", "me"])
    elsewhere = HOOK | {"recipient": "https://example.com/hook"}
    batch = [LINE, MAIL, elsewhere, HOOK | {"recipient": "https://example.org/hook"}, {}]
    with serving(dsn) as api:
        assert codes(post(api, key, batch)) == [
            None,
            "channel_not_allowed",
            "recipient_not_allowed",
            None,
            "missing_field",
        ]


def test_rows_are_their_keys_producers_and_tests_if_the_key_is_one(dsn: str, db) -> None:
    keys = a_key(db), a_key(db, producer="staging", kind="test")
    with serving(dsn) as api:
        for key in keys:
            assert codes(post(api, key, [LINE, MAIL])) == [None, None]
    rows = db.execute("select producer, is_test from notify.notifications order by id").fetchall()
    assert [(row.producer, row.is_test) for row in rows] == [
        ("shop", False),
        ("shop", False),
        ("staging", True),
        ("staging", True),
    ]


def test_the_same_idempotency_key_of_two_producers_is_two(dsn: str, db) -> None:
    keys = a_key(db), a_key(db, producer="staging")
    with serving(dsn) as api:
        for key in keys:
            for _ in range(2):
                assert codes(post(api, key, [LINE | {"idempotency_key": "a"}])) == [None]
    rows = db.execute("select producer from notify.notifications order by id").fetchall()
    assert [row.producer for row in rows] == ["shop", "staging"]


def test_a_scope_for_one_channel_lets_that_channel_in(dsn: str, db) -> None:
    key = a_key(db, scopes=["send:log"])
    with serving(dsn) as api:
        assert codes(post(api, key, [LINE, MAIL])) == [None, "scope_missing"]


def test_a_batch_without_a_right_to_send_is_refused_as_a_whole(dsn: str, db) -> None:
    key = a_key(db, scopes=["read"])
    with serving(dsn) as api:
        refused = post(api, key, [LINE])
        assert (refused.status, refused.json["code"]) == (403, "scope_missing")
        refused = post(api, minted(), [LINE])
        assert (refused.status, refused.json["code"]) == (401, "key_invalid")
    assert db.execute("select count(*) as n from notify.notifications").fetchone().n == 0


def test_each_item_counts_for_the_limit_of_a_key(dsn: str, db) -> None:
    key = a_key(db, rate_per_s=1.0, burst=10)
    with serving(dsn) as api:
        first = post(api, key, [LINE] * 30)
        assert codes(first) == [None] * 30
        refused = post(api, key, [LINE])
        assert (refused.status, refused.json["code"]) == (429, "rate_limited")
        assert 15 <= int(refused.headers["Retry-After"]) <= 21


def test_a_batch_that_the_service_refuses_counts_as_one_request(
    dsn: str, db, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = a_key(db, rate_per_s=0.001, burst=3)
    with serving(dsn) as api, monkeypatch.context() as full:
        full.setattr(Batcher, "has_room", lambda *_: False)
        refused = post(api, key, [LINE] * 30)
        assert (refused.status, refused.json["code"]) == (503, "overloaded")
        assert refused.headers["RateLimit"] == '"key";r=2'
        full.undo()
        assert [post(api, key, [LINE]).status for _ in range(3)] == [200, 200, 429]


def test_a_batch_that_is_wrong_as_a_whole_counts_as_one_request(dsn: str, db) -> None:
    key = a_key(db, rate_per_s=0.001, burst=2)
    with serving(dsn) as api:
        assert [post(api, key, batch).status for batch in ({}, [LINE], [LINE])] == [422, 200, 429]


def test_an_empty_batch_gives_no_credit(dsn: str, db) -> None:
    key = a_key(db, rate_per_s=0.001, burst=2)
    with serving(dsn) as api:
        statuses = [post(api, key, []).status for _ in range(3)]
    assert statuses == [200, 200, 429]
