"""A request that comes again with its key counts once, through every entrance."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from service.access.caller import Caller
from service.api.aside import Aside
from service.api.door import Door
from service.errors import KeyInFlight
from service.ledger.enqueue_store import EnqueueStore
from service.model.notification import Accepted
from tests.integration.api.serving import LINE, MAIL, Api, serving
from tests.ledger import ago
from tests.sql.test_enqueue import a_lock_for
from tests.waiting import wait_for

INSERT = (
    "insert into notify.notifications (channel, recipient, payload, idempotency_key)"
    " values ('log', 'me', 'null', %s)"
)


def post(api: Api, key: str | None = None, **fields: Any) -> Any:
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Idempotency-Key"] = key
    return api.ask("POST", "/notify", json.dumps(LINE | fields).encode(), **headers)


def count(db) -> int:
    return int(db.execute("select count(*) as n from notify.notifications").fetchone().n)


def test_the_same_request_again_gets_the_first_answer(api: Api, db) -> None:
    first, again = post(api, "k"), post(api, "k")
    assert (first.status, again.status) == (202, 200)
    assert again.body == first.body
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert count(db) == 1
    assert api.metric("api_jobs_enqueued_total", channel="log") == 1


@pytest.mark.parametrize("domain", ["Xn--Bcher-Kva.example", "b\u00fccher.example"])
def test_a_domain_beyond_ascii_is_the_same_when_it_comes_again(api: Api, domain: str) -> None:
    mail = MAIL | {"recipient": f"me@{domain}"}
    assert [post(api, "k", **mail).status for _ in range(2)] == [202, 200]


def test_a_mailbox_is_the_same_by_the_other_entrance(api: Api, db) -> None:
    mail = MAIL | {"recipient": "Ada@EXAMPLE.org"}
    send = "select notify.send('email', %s, %s, idempotency_key => %s) as id"

    def sent(key: str) -> str:
        given = [mail["recipient"], json.dumps(mail["payload"]), key]
        return str(db.execute(send, given).fetchone().id)

    first = post(api, "k", **mail).json["id"]
    assert sent("k") == first
    first = sent("l")
    again = post(api, "l", **mail)
    assert (again.status, again.json["id"]) == (200, first)


@pytest.mark.parametrize("header", ["k", '"k"'])
def test_header_field_and_column_are_the_same(api: Api, db, header) -> None:
    assert post(api, header).status == 202
    assert post(api, idempotency_key="k").status == 200
    assert post(api, header, idempotency_key="k").status == 200
    assert db.execute(INSERT, ["k"]).rowcount == 0
    shown = api.get(f"/notifications/{post(api, 'k').json['id']}").json
    assert (shown["idempotency_key"], shown["is_test"]) == ("k", False)
    assert shown["producer"] == db.info.user
    assert count(db) == 1


def test_another_request_with_the_key_is_refused(api: Api, db) -> None:
    post(api, "k")
    other = post(api, "k", priority=1)
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")
    assert other.json["errors"][0]["pointer"] == "/idempotency_key"
    assert count(db) == 1


@pytest.mark.parametrize("key", ["", '""', "k" * 256, "a\tb", "caf\u00e9\udcff"])
def test_a_header_that_is_no_key_is_refused(api: Api, db, key) -> None:
    raw = key.encode("utf-8", "surrogateescape").decode("latin-1")
    answer = post(api, raw)
    assert (answer.status, answer.json["code"]) == (422, "invalid_idempotency_key")
    assert count(db) == 0


def test_two_keys_that_differ_are_refused(api: Api, db) -> None:
    answer = post(api, "a", idempotency_key="b")
    assert (answer.status, answer.json["code"]) == (422, "invalid_idempotency_key")
    assert count(db) == 0


def test_a_null_in_the_body_leaves_the_word_to_the_header(api: Api, db) -> None:
    assert [post(api, "k", idempotency_key=None).status for _ in range(2)] == [202, 200]


def test_a_refused_request_uses_up_no_key(api: Api, db) -> None:
    assert post(api, "k", recipient="").status == 422
    assert post(api, "k", expires_at="2020-01-01T00:00:00Z").json["code"] == "invalid_expires_at"
    assert post(api, "k").status == 202


def test_a_repetition_counts_as_it_did_when_it_came_first(api: Api, db) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=3)
    fields = {"expires_at": soon.isoformat()}
    first = post(api, "k", **fields)
    assert first.status == 202
    wait_for(lambda: ago(db, "0") > soon)
    again = post(api, "k", **fields)
    assert (again.status, again.body) == (200, first.body)
    assert post(api, "other", **fields).json["code"] == "invalid_expires_at"


def test_a_key_that_an_open_transaction_holds_is_in_flight(api: Api, db, other_db) -> None:
    with other_db.transaction():
        other_db.execute(INSERT, ["k"])
        answer = post(api, "k")
        assert (answer.status, answer.json["code"]) == (409, "idempotency_key_in_flight")
        assert int(answer.headers["Retry-After"]) >= 1
    assert post(api, "k").status == 200
    assert count(db) == 1


def enqueue_in_haste(dsn: str) -> Any:
    async def enqueued() -> Any:
        async with EnqueueStore(dsn, "notify-api") as store:
            row = json.dumps([LINE | {"idempotency_key": "k"}]).encode()
            return await store.enqueue(row, is_in_haste=True)

    return asyncio.run(enqueued())


def test_a_table_that_is_locked_for_a_moment_is_no_key_in_flight(dsn, db, other_db) -> None:
    with a_lock_for(0.3, other_db, db):
        [accepted] = enqueue_in_haste(dsn).values()
    assert isinstance(accepted, Accepted)
    assert count(db) == 1


def test_a_key_in_flight_is_told_in_haste(dsn, other_db) -> None:
    with other_db.transaction(), pytest.raises(KeyInFlight):
        other_db.execute(INSERT, ["k"])
        enqueue_in_haste(dsn)


def test_what_an_open_transaction_gave_up_can_be_had(api: Api, db, other_db) -> None:
    with pytest.raises(ZeroDivisionError), other_db.transaction():
        other_db.execute(INSERT, ["k"])
        assert post(api, "k").status == 409
        raise ZeroDivisionError
    assert post(api, "k").status == 202


@contextmanager
def caller(monkeypatch, **of_header: Caller):
    """Let the header X-Caller say who calls, as a key would."""
    from service.api import enqueue

    def named(request: Any) -> Caller:
        return of_header.get(request.headers.get("X-Caller", ""), Caller())

    def at_once(_door: Door, headers: Any) -> Caller:
        return of_header.get(headers.get("X-Caller", ""), Caller())

    monkeypatch.setattr(enqueue, "caller_of", named)
    monkeypatch.setattr(Door, "at_once", at_once)
    yield


def test_producers_have_keys_of_their_own_and_tests_are_marked(api: Api, db, monkeypatch) -> None:
    shop, bank = Caller(producer="shop"), Caller(producer="bank", kind="test")
    body = json.dumps(LINE).encode()
    with caller(monkeypatch, shop=shop, bank=bank):
        statuses = [
            api.ask("POST", "/notify", body, **{"Content-Type": "application/json",
                    "Idempotency-Key": "k", "X-Caller": name}).status
            for name in ("shop", "bank", "shop", "bank")
        ]  # fmt: skip
    assert statuses == [202, 202, 200, 200]
    rows = db.execute("select producer, is_test from notify.notifications order by producer")
    assert [tuple(row) for row in rows] == [("bank", True), ("shop", False)]


@pytest.mark.parametrize("field", ["producer", "is_test"])
def test_a_client_may_not_say_who_it_is(api: Api, field) -> None:
    assert post(api, **{field: "bank"}).json["code"] == "unknown_field"


def test_the_same_key_twice_at_once_is_one_and_both_are_answered(api: Api, db) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: post(api, "k"), range(20)))
    assert sorted({answer.status for answer in answers}) == [200, 202]
    assert [answer.status for answer in answers].count(202) == 1
    assert len({answer.body for answer in answers}) == 1
    assert count(db) == 1


def test_a_hundred_duplicates_through_every_entrance_are_one(dsn, db) -> None:
    """Two APIs, SQL, transactions that stay open for a moment, and such as roll back."""
    start = threading.Barrier(100)

    def through(api: Api) -> str:
        start.wait()
        while (answer := post(api, "k")).status == 409:
            pass
        return str(answer.json["id"])

    def by_sql(rolls_back: bool) -> None:
        with psycopg.connect(dsn) as session:
            start.wait()
            session.execute(INSERT, ["k"])
            session.execute("select pg_sleep(0.02)")
            if rolls_back:
                session.rollback()

    with serving(dsn) as one, serving(dsn) as two, ThreadPoolExecutor(100) as pool:
        asked = [pool.submit(through, api) for api in (one, two) for _ in range(30)]
        inserted = [pool.submit(by_sql, n % 2 == 0) for n in range(40)]
        [id] = {answer.result() for answer in asked}
        for done in inserted:
            done.result()
    assert count(db) == 1
    assert str(db.execute("select id from notify.notifications").fetchone().id) == id


async def held(port: int, keys: int, extra: dict[str, str]) -> list[int]:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=connector) as session:

        async def one(n: int) -> int:
            headers = {"Idempotency-Key": f"held{n}", **extra}
            async with session.post("/notify", json=LINE, headers=headers) as response:
                await response.read()
                return response.status

        return await asyncio.gather(*[one(n) for n in range(keys)])


def test_an_open_transaction_of_one_producer_stalls_no_other(
    api: Api, db, other_db, monkeypatch
) -> None:
    """All that it holds is in flight, and all that others ask is done before it ends."""
    other_db.execute("insert into notify.producer_roles values (session_user, 'shop')")
    other_db.execute("select notify.name_producers()")
    met = []
    take = Aside.take
    monkeypatch.setattr(Aside, "take", lambda *args: met.append(args) or take(*args))
    shop, bank = Caller(producer="shop"), Caller(producer="bank")
    body = json.dumps(LINE).encode()
    with caller(monkeypatch, shop=shop, bank=bank), other_db.transaction():
        for n in range(100):  # the road beside tries each for a moment, within 2 s
            other_db.execute(INSERT, [f"held{n}"])
        results: list[int] = []
        hostile = threading.Thread(
            target=lambda: results.extend(asyncio.run(held(api.port, 100, {"X-Caller": "shop"})))
        )
        hostile.start()
        answered = []
        while hostile.is_alive() or not answered:
            headers = {"Content-Type": "application/json", "X-Caller": "bank",
                       "Idempotency-Key": f"b{len(answered)}"}  # fmt: skip
            answered.append(api.ask("POST", "/notify", body, **headers).status)
        hostile.join()
        assert {*answered} == {202}
        assert {*results} == {409}
        assert len(met) == 1  # time that the road waited
        query = "select count(*) as n from notify.notifications where producer = 'bank'"
        assert db.execute(query).fetchone().n == len(answered)
