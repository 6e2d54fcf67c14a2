"""Once there are keys, each request needs one, and it does what its scopes say and no more."""

import json
import socket
import time
from urllib.parse import urlsplit

import pytest
from loguru import logger

from service.access.key import minted
from tests import ledger
from tests.integration.api.link import Link
from tests.integration.api.serving import HOOK, LIMIT_S, LINE, MAIL, Api, serving
from tests.integration.api.test_serving import talk
from tests.keys import bearer, make
from tests.waiting import wait_for

OPEN = ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/"]
NOBODY = "01a202f8-7610-7e1c-908b-be00881bc450"
# Every route that needs a key, and which scopes let it be used; the others get 403.
ROUTES = {
    ("POST", "/notify"): {"send", "send:log", "admin"},
    ("POST", "/notify/batch"): {"send", "send:log", "admin"},
    ("GET", "/notifications"): {"read", "read:payload", "operate", "admin"},
    ("GET", f"/notifications/{NOBODY}"): {"read", "read:payload", "operate", "admin"},
    ("GET", f"/notifications/{NOBODY}/explain"): {"read", "read:payload", "operate", "admin"},
    ("POST", f"/notifications/{NOBODY}/cancel"): {"send", "send:log", "operate", "admin"},
    ("POST", f"/notifications/{NOBODY}/send-again"): {"operate", "admin"},
    ("POST", "/cancel"): {"operate", "admin"},
    ("POST", "/redrive"): {"operate", "admin"},
    ("GET", "/destinations"): {"operate", "admin"},
    ("POST", "/destinations/probe"): {"operate", "admin"},
    ("GET", "/pauses"): {"operate", "admin"},
    ("POST", "/pauses"): {"operate", "admin"},
    ("POST", "/pauses/0/resume"): {"operate", "admin"},
    ("GET", "/keys"): {"admin"},
    ("POST", "/keys"): {"admin"},
    ("POST", "/keys/0/revoke"): {"admin"},
    ("POST", "/keys/0/rotate"): {"admin"},
}
SCOPES = ["send", "send:log", "read", "read:payload", "operate", "admin"]
BODIES = {
    "/notify": LINE,
    "/notify/batch": [LINE],
    "/cancel": {"filter": {"reference": "nobody's"}},
    "/redrive": {"ids": [NOBODY]},
    "/pauses": {"kind": "producer", "name": "x"},
    "/destinations/probe": {"channel": "webhook", "destination": "https://nobody.example"},
    "/keys": {"producer": "x"},
}


def ask(api: Api, method: str, path: str, **headers: str):
    body = json.dumps(BODIES.get(path, {})).encode() if method == "POST" else None
    return api.ask(method, path, body, **{"Content-Type": "application/json"}, **headers)


def key_of(api: Api, db, *scopes: str, **more):
    """Make a key that the edge knows."""
    key = make(db, *scopes, **more)
    api.read_keys()
    return key


def through(link: Link, dsn: str) -> str:
    """Give the URL of a database behind a link."""
    url = urlsplit(dsn)
    who = url.netloc.rpartition("@")[0]
    return url._replace(netloc=f"{who}@127.0.0.1:{link.port}", query="").geturl()


def code(answer) -> tuple[int, str | None]:
    return answer.status, (answer.json or {}).get("code")


@pytest.fixture
def shop(api: Api, db):
    """Make a key of the producer shop, with every scope but admin and operate."""
    return key_of(api, db, "send", "read:payload")


@pytest.fixture
def logged():
    """Collect all of the log, with its fields."""
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), format="{message} {extra}")
    yield lines
    logger.remove(sink)


def test_without_keys_everything_works_as_before(api: Api, db) -> None:
    assert api.post(LINE).status == 202
    assert api.post(LINE, Authorization="Bearer nonsense").status == 202
    assert api.get("/notifications").status == 200


def test_without_keys_nobody_makes_one_by_http(api: Api) -> None:
    assert code(ask(api, "POST", "/keys")) == (401, "key_missing")
    assert code(ask(api, "GET", "/keys", **bearer(minted()))) == (401, "key_invalid")


def test_the_first_key_closes_the_door_to_all_but_what_machines_and_newcomers_read(
    api: Api, shop
) -> None:
    for method, path in [*ROUTES, ("GET", "/nowhere"), ("PATCH", "/notify"), ("OPTIONS", "/")]:
        answer = ask(api, method, path)
        assert code(answer) == (401, "key_missing"), path
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
        assert "Authorization: Bearer nk_" in answer.json["detail"]
    for path in OPEN:
        assert api.get(path).status in (200, 302), path


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_out_of_scope_is_a_403_on_every_route(api: Api, db, scope: str) -> None:
    key = key_of(api, db, scope)
    for (method, path), allowed in ROUTES.items():
        answer = ask(api, method, path, **bearer(key))
        if scope in allowed:
            assert answer.status in (200, 201, 202, 404), (path, answer.json)
        else:
            assert code(answer) == (403, "scope_missing"), path


def test_unknown_wrong_revoked_and_expired_look_alike(api: Api, db, shop) -> None:
    revoked = make(db, "read")
    db.execute("select notify.revoke_key(%s, null, null)", [revoked.id])
    expired = make(db, "read", expires_at="2020-01-01Z")
    wrong = shop._replace(secret=minted().secret)
    api.read_keys()
    answers = [ask(api, "POST", "/notify", **bearer(key))
               for key in (minted(), wrong, revoked, expired)]  # fmt: skip
    assert {code(answer) for answer in answers} == {(401, "key_invalid")}
    assert len({answer.body for answer in answers}) == 1
    assert len({answer.headers["WWW-Authenticate"] for answer in answers}) == 1


def test_a_new_key_works_at_once_and_one_of_another_ledger_does_not(api: Api, db, shop) -> None:
    assert ask(api, "POST", "/notify", **bearer(make(db))).status == 202
    assert code(ask(api, "POST", "/notify", **bearer(minted()))) == (401, "key_invalid")


def test_a_revoked_key_is_refused_after_the_next_reading(api: Api, db, shop) -> None:
    assert ask(api, "POST", "/notify", **bearer(shop)).status == 202
    db.execute("select notify.revoke_key(%s, null, null)", [shop.id])
    api.read_keys()
    assert code(ask(api, "POST", "/notify", **bearer(shop))) == (401, "key_invalid")
    assert code(ask(api, "POST", "/notify")) == (401, "key_missing")  # the last one, revoked


def test_a_running_edge_notices_by_itself(api: Api, db) -> None:
    key = make(db)
    wait_for(lambda: ask(api, "POST", "/notify").status == 401)
    db.execute("update notify.api_keys set revoked_at = now() where id = %s", [key.id])
    wait_for(lambda: ask(api, "POST", "/notify", **bearer(key)).status == 401)
    db.execute("delete from notify.api_keys")
    wait_for(lambda: ask(api, "POST", "/notify").status == 202)


def test_where_others_are_no_key_means_nobody(dsn: str, db) -> None:
    with serving(dsn, host="0.0.0.0") as api:
        assert code(ask(api, "POST", "/notify")) == (401, "key_missing")
        key = make(db)
        assert ask(api, "POST", "/notify", **bearer(key)).status == 202
        db.execute("delete from notify.api_keys")
        api.read_keys()
        assert code(ask(api, "POST", "/notify")) == (401, "key_missing")
    with serving(dsn, host="0.0.0.0", api_open=True) as api:
        assert ask(api, "POST", "/notify").status == 202


@pytest.mark.parametrize(
    "header",
    [
        "", "Bearer", "Basic c2hvcDpzZWNyZXQ=", "Bearer  x{key}", "bearer{key}",
        "Bearer %6Ek_{key}", "Bearer {key}%00", "Bearer \xff{key}", "Bearer " + "nk_" * 2000,
        "Digest {key}", "Bearer {key},{key}", "Bearer nk__", "Bearer nk_\x80_\x80",
    ],
)  # fmt: skip
def test_an_odd_header_is_a_401_and_nothing_else(
    api: Api, shop, header: str, tracebacks: list[str]
) -> None:
    answer = ask(api, "POST", "/notify", Authorization=header.replace("{key}", str(shop)))
    assert code(answer) == (401, "key_invalid")
    assert str(shop.secret) not in answer.body.decode()
    assert not tracebacks


def test_two_headers_are_not_one_of_them(api: Api, shop) -> None:

    line = f"Authorization: Bearer {shop}\r\n"
    head = f"GET /notifications HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{line}"
    assert b" 200 OK" in talk(api.port, f"{head}\r\n".encode())
    assert b" 401 " in talk(api.port, f"{head}{line}\r\n".encode())
    other = f"authorization: Bearer {minted()}\r\n"
    assert b" 401 " in talk(api.port, f"{head}{other}\r\n".encode())


def test_a_key_in_the_query_or_the_path_is_none(api: Api, shop) -> None:
    for name in ("key", "access_token", "authorization", "Authorization", "api_key"):
        assert api.get(f"/notifications?{name}={shop}").status == 401
    assert api.get(f"/notifications/{shop}").status == 401


def test_a_key_sees_its_own_producers_notifications_alone(api: Api, db, shop) -> None:
    own, other = ledger.enqueue(db, 2)
    db.execute("update notify.notifications set producer = 'shop' where id = %s", [own])
    db.execute("update notify.notifications set producer = 'bank' where id = %s", [other])
    me = bearer(shop)
    assert [item["id"] for item in api.get("/notifications", **me).json["items"]] == [str(own)]
    assert api.get(f"/notifications/{own}", **me).status == 200
    for path in (f"/notifications/{other}", f"/notifications/{NOBODY}"):
        assert code(api.get(path, **me)) == (404, "notification_not_found")
        cancelled = ask(api, "POST", f"{path}/cancel", **me)
        assert code(cancelled) == (404, "notification_not_found")
    assert ledger.status(db, other) == "queued"
    assert ask(api, "POST", f"/notifications/{own}/cancel", **me).status == 200
    operator = bearer(key_of(api, db, "operate", producer="ops"))
    assert len(api.get("/notifications", **operator).json["items"]) == 2
    assert ask(api, "POST", f"/notifications/{other}/cancel", **operator).status == 200


def test_what_nobody_named_as_a_producer_is_no_keys_own(api: Api, db, shop) -> None:
    [id] = ledger.enqueue(db)
    db.execute("update notify.notifications set producer = null where id = %s", [id])
    assert api.get(f"/notifications/{id}", **bearer(shop)).status == 404
    assert api.get(f"/notifications/{id}/explain", **bearer(shop)).status == 404
    assert ask(api, "POST", f"/notifications/{id}/cancel", **bearer(shop)).status == 404


def test_a_key_for_one_channel_cancels_on_that_channel_alone(api: Api, db) -> None:
    [id] = ledger.enqueue(db)
    db.execute("update notify.notifications set producer = 'shop' where id = %s", [id])
    answer = ask(
        api, "POST", f"/notifications/{id}/cancel", **bearer(key_of(api, db, "send:email"))
    )
    assert code(answer) == (403, "scope_missing")
    answer = ask(api, "POST", f"/notifications/{id}/cancel", **bearer(key_of(api, db, "send:log")))
    assert answer.status == 200


@pytest.mark.parametrize(
    ("limits", "refusal"),
    [
        ({"kind": "test"}, "scope_missing"),
        ({"kind": "team", "recipients": ["*@example.org"]}, "recipient_not_allowed"),
        ({"recipients": ["*@example.org"]}, "recipient_not_allowed"),
        ({"channels": ["webhook"]}, "channel_not_allowed"),
    ],
)
def test_a_key_cancels_only_what_it_could_have_sent(
    api: Api, db, limits: dict[str, object], refusal: str
) -> None:
    [id] = ledger.enqueue(db)
    db.execute("update notify.notifications set producer = 'shop' where id = %s", [id])
    key = bearer(key_of(api, db, **limits))
    assert code(ask(api, "POST", f"/notifications/{id}/cancel", **key)) == (403, refusal)
    assert ledger.row(db, id).status == "queued"


def test_recipients_and_payloads_are_for_keys_that_may_see_them(api: Api, db) -> None:
    id = api.post(MAIL).json["id"]
    db.execute("update notify.notifications set producer = 'shop'")
    seen = {}
    for scope in ("read", "read:payload", "operate", "admin"):
        me = bearer(key_of(api, db, scope))
        [item] = api.get("/notifications", **me).json["items"]
        one = api.get(f"/notifications/{id}", **me).json
        assert item["recipient"] == one["recipient"]
        seen[scope] = item["recipient"], one["payload"]
    whole, masked = (MAIL["recipient"], MAIL["payload"]), ("m…@example.com", None)
    assert seen == {
        "read": masked, "operate": masked, "read:payload": whole, "admin": whole
    }  # fmt: skip


@pytest.mark.parametrize(
    ("recipient", "status", "answers"),
    [
        ("Ada@example.org", "450", ("<ada@EXAMPLE.org>: try later", None)),
        ("ada@bücher.example", "550", ("ada@xn--bcher-kva.example: who?", None)),
        ("https://example.org/in/token", "404", ('Cannot POST /in/token: {"pin": 1}', None)),
        ("Ada@example.org", "bad_address", ("no ada@example.org", "no A…@example.org")),
    ],
)
def test_what_a_receiver_answered_is_for_keys_that_may_see_payloads(
    api: Api, db, recipient: str, status: str, answers: tuple[str, str | None]
) -> None:
    answer, shown = answers
    [id] = ledger.enqueue(db)
    change = "update notify.notifications set recipient = %s, producer = 'shop'"
    db.execute(change, [recipient])
    ledger.settle(db, ledger.claim(db, [id]), "permanent", code=status, excerpt=answer)
    for scope, text in (("read", shown), ("operate", shown), ("read:payload", answer)):
        me = bearer(key_of(api, db, scope))
        one = api.get(f"/notifications/{id}", **me).json
        [item] = api.get("/notifications", **me).json["items"]
        assert one["last_error"] == item["last_error"] == text
        assert (one["attempts"][0]["code"], one["attempts"][0]["excerpt"]) == (status, text)


@pytest.mark.parametrize(("kind", "payload"), [("live", None), ("test", LINE["payload"])])
def test_a_test_key_sees_payloads_of_tests_alone(api: Api, db, kind: str, payload: object) -> None:
    id = api.post(LINE, **bearer(key_of(api, db, kind=kind))).json["id"]
    key = bearer(key_of(api, db, "read:payload", kind="test"))
    assert api.get(f"/notifications/{id}", **key).json["payload"] == payload


def test_channels_and_recipients_of_a_key_hold(api: Api, db) -> None:
    key = bearer(key_of(api, db, channels=["webhook", "email"], recipients=["*@example.com"]))
    assert api.post(MAIL, **key).status == 202
    assert code(api.post(LINE, **key)) == (403, "channel_not_allowed")
    assert code(api.post(HOOK, **key)) == (403, "recipient_not_allowed")
    for tricky in ("me@example.com.evil.example", "me@xexample.com"):
        assert code(api.post(MAIL | {"recipient": tricky}, **key)) == (403, "recipient_not_allowed")
    one_channel = bearer(key_of(api, db, "send:email"))
    assert api.post(MAIL, **one_channel).status == 202
    assert code(api.post(HOOK, **one_channel)) == (403, "scope_missing")
    assert ledger.row(db, api.post(MAIL, **key).json["id"]).channel == "email"


def test_a_batch_is_held_to_the_same_item_by_item_and_costs_as_many(api: Api, db) -> None:
    key = bearer(
        key_of(api, db, "send:email", recipients=["*@example.com"], rate_per_s=0.01, burst=3)
    )
    stray = MAIL | {"recipient": "me@example.org"}
    items = api.post([MAIL, LINE, stray], to="/notify/batch", **key).json["items"]
    codes = [(item.get("problem") or {}).get("code") for item in items]
    assert codes == [None, "scope_missing", "recipient_not_allowed"]
    assert code(api.post(MAIL, **key)) == (429, "rate_limited")


def test_rows_of_a_test_key_are_marked_and_those_of_a_key_are_its_producers(api: Api, db) -> None:
    for kind, producer in (("test", "shop"), ("live", "bank")):
        key = bearer(key_of(api, db, kind=kind, producer=producer))
        row = ledger.row(db, api.post(LINE, **key).json["id"])
        assert (row.is_test, row.producer) == (kind == "test", producer)


def test_a_team_key_without_a_list_sends_to_nobody(api: Api, db) -> None:
    key = bearer(key_of(api, db, kind="team"))
    assert code(api.post(MAIL, **key)) == (403, "recipient_not_allowed")


@pytest.mark.parametrize("kind", ["test", "team"])
def test_a_key_that_is_not_live_moves_nothing_that_is(api: Api, db, kind: str) -> None:
    key = bearer(key_of(api, db, "admin", "operate", kind=kind))
    for path in ("/cancel", "/redrive", "/destinations/probe", "/keys"):
        assert code(ask(api, "POST", path, **key)) == (403, "scope_missing")


def test_a_key_that_goes_too_fast_is_told_when_to_come_again(api: Api, db) -> None:
    slow = bearer(key_of(api, db, rate_per_s=0.01, burst=2))
    answers = [api.post(LINE, **slow) for _ in range(3)]
    assert [answer.status for answer in answers] == [202, 202, 429]
    assert [a.headers["RateLimit"] for a in answers[:1]] == ['"key";r=1']
    assert {a.headers["RateLimit-Policy"] for a in answers} == {'"key";q=2;w=200'}
    assert code(answers[2]) == (429, "rate_limited")
    assert 90 <= int(answers[2].headers["Retry-After"]) <= 100
    api.read_keys()  # it is the same key: its bucket stays as it is
    assert api.post(LINE, **slow).status == 429
    assert api.post(LINE, **bearer(key_of(api, db, "admin"))).headers["RateLimit"] is None
    refused = api.metric("api_requests_refused_total", code="rate_limited")
    assert refused == 2


def test_the_fields_are_on_errors_as_well(api: Api, db) -> None:
    limited = bearer(key_of(api, db, rate_per_s=1, burst=50))
    for answer in (api.post({}, **limited), api.get("/notifications", **limited)):
        assert answer.status in (403, 422)
        assert answer.headers["RateLimit-Policy"] == '"key";q=50;w=50'


def test_the_last_use_is_written_down(api: Api, db, shop) -> None:
    def used():
        return db.execute("select last_used_at from notify.api_keys where id = %s",
                          [shop.id]).fetchone()[0]  # fmt: skip

    assert api.post(LINE, **bearer(shop)).status == 202
    assert used() is None
    api.run(api.ring.note_uses())
    assert used() is not None


def test_while_the_database_is_away_a_key_is_believed_for_seconds(dsn: str, db) -> None:
    key, ahead_s = bearer(make(db, "send", "read")), [0.0]
    with Link(dsn) as link, serving(through(link, dsn)) as api:
        api.ring._now = lambda: time.monotonic() + ahead_s[0]
        api.read_keys()
        link.cut()
        assert api.post({}, **key).status == 422
        ahead_s[0] += 4.1
        assert code(api.post({}, **key)) == (503, "database_unavailable")
        assert code(api.post({})) == (503, "database_unavailable")
        assert api.metric("api_jobs_enqueue_failed_total", reason="unavailable") == 2


def test_who_found_no_keys_lets_nobody_in_once_they_cannot_be_read(dsn: str, db) -> None:
    ahead_s = [0.0]
    with serving(dsn) as api:
        api.ring._now = lambda: time.monotonic() + ahead_s[0]
        api.read_keys()
        assert api.post(LINE).status == 202
        db.execute("alter table notify.api_keys rename to api_keys_hidden")
        try:
            ahead_s[0] += 4.1
            assert code(api.post(LINE)) == (503, "database_unavailable")
        finally:
            db.execute("alter table notify.api_keys_hidden rename to api_keys")
        wait_for(lambda: api.post(LINE).status == 202)


def test_before_the_first_reading_nobody_is_let_in(dsn: str) -> None:
    with Link(dsn) as link:
        link.cut()
        with serving(through(link, dsn)) as api:
            assert code(api.post({})) == (503, "database_unavailable")
            assert code(api.get("/keys")) == (503, "database_unavailable")
            assert api.get("/healthz").status == 200


def test_no_log_line_holds_a_key(api: Api, db, shop, logged: list[str]) -> None:
    admin = bearer(key_of(api, db, "admin"))
    made = api.post({"producer": "x"}, to="/keys", **admin).json["key"]
    api.post(LINE, Authorization=f"Bearer {made}")
    api.post(LINE, Authorization=f"Bearer {made}x")
    api.get(f"/notifications?key={made}", **admin)
    assert any("key_made" in line for line in logged)
    assert not any(made.split("_")[2] in line for line in logged)


def test_who_used_an_operators_verb_is_written_down(api: Api, db) -> None:
    [id] = ledger.enqueue(db)
    ask(api, "POST", f"/notifications/{id}/cancel")
    ops = key_of(api, db, "operate", producer="ops")
    ask(api, "POST", "/redrive", **bearer(ops))
    api.post({"ids": [NOBODY], "dry_run": True}, to="/redrive", **bearer(ops))
    uses = db.execute("select actor, key_id, verb from notify.audit order by id").fetchall()
    assert [use for use in uses if use.verb != "keys.create"] == [
        ("anybody", None, "cancel"), ("ops", ops.id, "redrive"),
    ]  # fmt: skip


NEW_KEY = {"producer": "evil", "scopes": ["admin"]}
SLOW = {"/notify": LINE, "/notify/batch": [LINE], "/redrive": {"filter": {"channel": "log"}},
        "/keys": NEW_KEY}  # fmt: skip


@pytest.mark.parametrize("path", SLOW)
@pytest.mark.parametrize(
    ("lost", "status"), [("revoked_at = now()", 401), ("scopes = '{read}'", 403)]
)
def test_a_body_that_comes_after_the_key_was_revoked_does_nothing(
    api: Api, db, path: str, lost: str, status: int
) -> None:
    dead = ledger.put(db, "failed")
    key = key_of(api, db, "admin")
    body = json.dumps(SLOW[path]).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", api.port), LIMIT_S) as client:
        client.sendall(head.encode() + body[:1])
        wait_for(lambda: api.metric("api_requests_in_progress") == 1)
        db.execute(f"update notify.api_keys set {lost}")
        api.read_keys()
        client.sendall(body[1:])
        assert client.recv(65536).startswith(b"HTTP/1.1 %d " % status)
    assert [row.id for row in db.execute("select id from notify.notifications")] == [dead]
    assert ledger.status(db, dead) == "failed"
    assert db.execute("select count(*) from notify.api_keys").fetchone() == (1,)
