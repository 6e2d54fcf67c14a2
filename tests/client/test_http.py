"""Client against the real API: every verb, and the problems as classes."""

import os
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from notification_client import (
    Client,
    Invalid,
    KeyReused,
    NotAuthorized,
    NotFound,
    RateLimited,
    SomeRefused,
    TooLate,
)

from tests.integration.api.serving import serving
from tests.keys import make
from tests.ledger import claim, row, settle
from tests.waiting import wait_for

TOMORROW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
COUNT = "select count(*) as n from notify.notifications"


@pytest.fixture
def api(dsn):
    with serving(dsn) as running:
        yield running


@pytest.fixture
def client(api):
    with Client(f"http://127.0.0.1:{api.port}") as client:
        yield client


def item(**more):
    return {"channel": "log", "recipient": "r", "payload": {}} | more


def test_every_option_arrives(db, client):
    options = {
        "reference": "bestellung-ü", "priority": 0, "send_at": TOMORROW,
        "expires_at": TOMORROW + timedelta(1), "idempotency_key": "schlüssel 1", "max_attempts": 7,
    }  # fmt: skip
    id = client.send("log", "r", {"text": "✓ 😀"}, **options)
    got = row(db, id)
    assert got.payload == {"text": "✓ 😀"}
    assert {name: getattr(got, name) for name in options} == options


def test_without_a_key_each_send_has_a_key_of_its_own(db, client):
    ids = [client.send("log", "r", {}) for _ in range(2)]
    keys = {UUID(row(db, id).idempotency_key) for id in ids}
    assert len(keys) == 2


def test_a_repetition_gives_the_first_id(client):
    first = client.send("log", "r", {}, idempotency_key="k")
    assert client.send("log", "r", {}, idempotency_key="k") == first
    with pytest.raises(KeyReused) as caught:
        client.send("log", "other", {}, idempotency_key="k")
    assert isinstance(caught.value, Invalid)
    assert caught.value.idempotency_key == "k"


def test_what_is_wrong_is_told_with_its_place(client):
    with pytest.raises(Invalid) as caught:
        client.send("fax", "r", {})
    problem = caught.value
    assert (problem.status, problem.code, problem.type) == (
        422, "invalid_channel", "/docs#invalid_channel",
    )  # fmt: skip
    assert [(fault.code, fault.pointer) for fault in problem.errors] == [
        ("invalid_channel", "/channel")
    ]
    assert "Use webhook" in problem.detail


def test_many_come_back_in_their_order(db, client):
    ids = client.send_many(item(reference=f"n{n}") for n in range(1000))
    found = {
        r.id: r.reference for r in db.execute("select id, reference from notify.notifications")
    }
    assert [found[id] for id in ids] == [f"n{n}" for n in range(1000)]
    assert client.send_many([]) == []


def test_some_that_are_refused_leave_the_others(db, client):
    with pytest.raises(SomeRefused) as caught:
        client.send_many([item(), item(channel="fax"), item()])
    first, second, third = caught.value.results
    assert (type(first), type(second), type(third)) == (UUID, Invalid, UUID)
    assert second.code == "invalid_channel"
    assert db.execute(COUNT).fetchone().n == 2


def test_a_batch_repeated_with_its_keys_is_one(db, client):
    items = [item(idempotency_key=f"k{n}") for n in range(3)]
    assert client.send_many(items) == client.send_many(items)
    assert db.execute(COUNT).fetchone().n == 3


def test_a_notification_is_read_and_cancelled(db, client):
    id = client.send("log", "r", {"n": 1}, send_at=TOMORROW)
    assert client.get(str(id))["payload"] == {"n": 1}
    client.cancel(id)
    client.cancel(id)
    assert client.get(id)["status"] == "cancelled"


def test_what_is_gone_or_going_cannot_be_cancelled(db, client):
    id = client.send("log", "r", {})
    claims = claim(db)
    with pytest.raises(TooLate) as caught:
        client.cancel(id)
    assert caught.value.code == "already_sending"
    settle(db, claims)
    with pytest.raises(TooLate) as caught:
        client.cancel(id)
    assert caught.value.code == "already_settled"


def test_what_is_not_there_is_not_found(client):
    for ask in (client.get, client.cancel):
        with pytest.raises(NotFound):
            ask(uuid4())


@pytest.mark.parametrize("id", ["", "x", "../keys", "1/cancel", None, 3])
def test_what_is_no_id_is_not_asked_for(client, id):
    for ask in (client.get, client.cancel):
        with pytest.raises(ValueError, match="badly formed"):
            ask(id)


def test_a_key_is_needed_and_limited(db, api):
    url = f"http://127.0.0.1:{api.port}"
    key = str(make(db, "send", rate_per_s=0.001, burst=1))
    api.read_keys()
    with pytest.raises(NotAuthorized):
        Client(url).send("log", "r", {})
    client = Client(url, key)
    id = client.send("log", "r", {})
    assert row(db, id).producer == "shop"
    with pytest.raises(RateLimited) as caught:
        client.send("log", "r", {})
    assert caught.value.retry_after > 0


def test_one_connection_is_kept(api, client):
    for _ in range(5):
        client.send("log", "r", {})
    assert len(client._transfers._idle) == 1


def test_threads_share_a_client(db, client):
    results = []

    def send():
        results.extend(client.send("log", "r", {}) for _ in range(20))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == db.execute(COUNT).fetchone().n == 80


def test_another_process_does_not_use_the_connections_of_its_parent(client, monkeypatch):
    client.send("log", "r", {})
    [(_, kept)] = client._transfers._idle
    monkeypatch.setattr(os, "getpid", lambda: 1)
    client.send("log", "r", {})
    assert [connection is kept for _, connection in client._transfers._idle] == [False]
    client.close()


def test_to_wait_is_told_as_soon_as_it_has_ended(db, client):
    id = client.send("log", "r", {})
    claims = claim(db)
    ended = []
    waits = threading.Thread(target=lambda: ended.append(client.wait(id, timeout=60)["status"]))
    waits.start()
    # It passes a row that the service is just asking for.
    wait_for(lambda: [s.status for s in settle(db, claims)] == ["sent"])
    waits.join()
    assert ended == ["sent"]


def test_to_wait_for_what_does_not_end_gives_it_as_it_is(client):
    id = client.send("log", "r", {}, send_at=TOMORROW)
    assert client.wait(id, timeout=0.6)["status"] == "queued"


def test_what_json_does_not_read_is_waited_for_all_the_same(db, client):
    digits, send = "9" * 5000, "select notify.send('log', 'r', %s::jsonb) as id"
    [long] = db.execute(send, [f'{{"n": [{digits}, 1], "x": 1.5}}']).fetchone()
    [deep] = db.execute(send, ['{"\\\\\\"[": ' + "[" * 6000 + '"]"' + "]" * 6000 + "}"]).fetchone()
    settle(db, claim(db))
    detail = client.wait(long, 10)
    assert (detail["status"], detail["payload"]) == ("sent", {"n": [Decimal(digits), 1], "x": 1.5})
    assert type(detail["payload"]["n"][1]) is int
    for detail in (client.wait(deep, 10), client.get(deep)):
        assert (detail["status"], detail["recipient"], "payload" in detail) == ("sent", "r", False)
        assert [attempt["outcome"] for attempt in detail["attempts"]] == ["sent"]
