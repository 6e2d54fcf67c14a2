"""GET /notifications/{id}?wait=30: who waits hears of the end at once, and costs little until then.

A wait of 30 s that is answered within a few is answered because of the end.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import pytest

from service.api import ends
from service.http.connections import Limits
from tests.integration.api.link import Link
from tests.integration.api.serving import LINE, Api, serving
from tests.integration.api.test_batch_keys import a_key
from tests.keys import bearer, make
from tests.ledger import ago, cancel, change, claim, enqueue, settle
from tests.waiting import wait_for

SOON_S = 25.0  # less than a wait of 30 s, and enough for a busy machine
LISTENERS = "select count(*) as n from pg_stat_activity where application_name = 'notify-wait'"
LISTENING = LISTENERS + " and query ~ '^listen'"
ASKED = "select notify_on_end from notify.notifications where id = %s"


Ask = Callable[..., Future[Any]]  # of an id, the seconds, and headers


@pytest.fixture
def waiting(api: Api) -> Iterator[Ask]:
    """Ask in a thread; gives a future of the answer, with the time that it took as `took_s`."""
    with asking(api) as ask:
        yield ask


@contextmanager
def asking(api: Api) -> Iterator[Ask]:
    """Do so, of an edge that is not the fixture's."""

    def timed(id: UUID | str, wait_s: int, **headers: str) -> SimpleNamespace:
        began = time.monotonic()
        answer = api.get(f"/notifications/{id}?wait={wait_s}", **headers)
        answer.took_s = time.monotonic() - began
        return answer

    with ThreadPoolExecutor(max_workers=20) as pool:
        yield lambda id, wait_s, **headers: pool.submit(timed, id, wait_s, **headers)


def ends_of(api: Api) -> int:
    """Count who waits, by what the edge says of itself."""
    return int(api.metric("api_requests_waiting"))


# A look of the edge may hold the row for a moment: then each is done again, as the roles do.
def sent(db: Any, id: UUID, outcome: str = "sent") -> None:
    claimed = wait_for(lambda: claim(db, [id]))
    wait_for(lambda: settle(db, claimed, outcome)[0].status != "locked")


def failed(db: Any, id: UUID) -> None:
    sent(db, id, "permanent")


def cancelled(db: Any, id: UUID) -> None:
    wait_for(lambda: cancel(db, [id])[0].status == "cancelled")


def expired(db: Any, id: UUID) -> None:
    change(db, id, expires_at=ago(db, "1 second"))
    wait_for(lambda: claim(db, [id]))


@pytest.mark.parametrize("end", [sent, failed, cancelled, expired], ids=lambda end: end.__name__)
def test_it_is_answered_when_it_ends(db, waiting, end) -> None:
    [id] = enqueue(db)
    asked = waiting(id, 30)
    wait_for(lambda: db.execute(ASKED, [id]).fetchone().notify_on_end)
    assert not asked.done()
    end(db, id)
    answer = asked.result()
    assert (answer.status, answer.json["status"]) == (200, end.__name__)
    assert answer.took_s < SOON_S


def test_the_answer_is_the_ordinary_one(api: Api, db, waiting) -> None:
    [id] = enqueue(db)
    asked = waiting(id, 30)
    wait_for(lambda: db.execute(ASKED, [id]).fetchone().notify_on_end)
    sent(db, id)
    assert asked.result().json == api.get(f"/notifications/{id}").json


def test_what_has_ended_before_is_answered_at_once_and_no_session_listens(
    api: Api, db, waiting
) -> None:
    [id] = enqueue(db)
    sent(db, id)
    answer = waiting(id, 30).result()
    assert answer.json["status"] == "sent"
    assert answer.took_s < SOON_S
    assert db.execute(LISTENERS).fetchone().n == 0


def test_when_the_time_is_over_it_is_answered_as_it_is(db, waiting) -> None:
    [id] = enqueue(db)
    answer = waiting(id, 1).result()
    assert (answer.status, answer.json["status"]) == (200, "queued")
    assert answer.took_s >= 1


def test_an_attempt_that_is_tried_again_is_no_end(db, waiting) -> None:
    [id] = enqueue(db)
    asked = waiting(id, 30)
    wait_for(lambda: db.execute(ASKED, [id]).fetchone().notify_on_end)
    settle(db, claim(db, [id]), "temporary")
    change(db, id, due_at=ago(db, "0"))
    assert not asked.done()
    sent(db, id)
    assert asked.result().json["status"] == "sent"


@pytest.mark.parametrize(
    "wait",
    [
        "abc",
        "-1",
        "31",
        "1e9",
        "1.5",
        "nan",
        "1&wait=2",
        "%00",
        "%D9%A3",
        "0x1",
        "9" * 400,
        "+1",
        "%2B1",
    ],
)
def test_another_time_is_refused(api: Api, db, wait: str) -> None:
    [id] = enqueue(db)
    answer = api.get(f"/notifications/{id}?wait={wait}")
    assert (answer.status, answer.json["code"]) == (422, "invalid_parameter")
    assert answer.json["errors"][0]["parameter"] == "wait"


@pytest.mark.parametrize("wait", ["", "0", "00"])
def test_no_time_is_no_wait(api: Api, db, wait: str) -> None:
    [id] = enqueue(db)
    assert api.get(f"/notifications/{id}?wait={wait}").json["status"] == "queued"
    assert not db.execute(ASKED, [id]).fetchone().notify_on_end


@pytest.mark.parametrize("id", ["01a202f8-7610-7e1c-908b-be00881bc450", "x"])
def test_an_id_that_nobody_has_is_answered_at_once(waiting, id: str) -> None:
    answer = waiting(id, 30).result()
    assert (answer.status, answer.json["code"]) == (404, "notification_not_found")
    assert answer.took_s < SOON_S


def test_a_row_that_is_dropped_meanwhile_is_answered(db, waiting) -> None:
    ids = enqueue(db, 2)
    asked = waiting(ids[0], 30), waiting(ids[1], 30)
    wait_for(lambda: all(db.execute(ASKED, [id]).fetchone().notify_on_end for id in ids))
    db.execute("delete from notify.notifications where id = %s", [ids[0]])
    sent(db, ids[1])
    assert asked[0].result().status == 404
    assert asked[1].result().json["status"] == "sent"


def test_ends_around_the_moment_of_listening_are_all_heard(api: Api, db, waiting) -> None:
    """Each end races with LISTEN, the look, and the flag; the next one with a later moment."""
    for n in range(40):
        [id] = enqueue(db)
        asked = waiting(id, 30)
        for _ in range(n % 10):
            db.execute("select")
        claimed = wait_for(lambda id=id: claim(db, [id]))  # the look may hold the row just then
        wait_for(lambda claimed=claimed: [s.status for s in settle(db, claimed)] == ["sent"])
        answer = asked.result()
        assert answer.json["status"] == "sent"
        assert answer.took_s < SOON_S


def test_an_end_while_the_row_is_locked_is_heard(db, other_db, waiting) -> None:
    """The flag cannot be set: the settle that holds the row ends it, and rings nobody."""
    [id] = enqueue(db)
    claimed = claim(db, [id])
    with other_db.transaction():
        settle(other_db, claimed)
        asked = waiting(id, 30)
        wait_for(lambda: db.execute(LISTENING).fetchone().n)
        assert not asked.done()
    answer = asked.result()
    assert answer.json["status"] == "sent"
    assert answer.took_s < SOON_S


@pytest.mark.needs("descriptors")  # hundreds of clients and the API in one process
def test_three_hundred_wait_on_one_connection_and_nobody_polls(api: Api, db) -> None:
    ids = enqueue(db, 300)

    async def all_wait() -> list[dict[str, Any]]:
        connector = aiohttp.TCPConnector(limit=0)
        url = f"http://127.0.0.1:{api.port}"
        async with aiohttp.ClientSession(url, connector=connector) as session:

            async def get(id: UUID) -> dict[str, Any]:
                # On a machine that stands still for long, the first ones ask again, as clients do.
                while True:
                    async with session.get(f"/notifications/{id}?wait=30") as response:
                        answer = {"http": response.status, **await response.json()}
                    if answer["http"] != 200 or answer["status"] not in ("queued", "sending"):
                        return answer

            def all_are_there() -> bool:
                return ends_of(api) == 300 or any(one.done() for one in asked)

            asked = [asyncio.create_task(get(id)) for id in ids]
            await asyncio.to_thread(wait_for, all_are_there)
            assert [one.result() for one in asked if one.done()] == []
            flagged = "select count(*) as n from notify.notifications where notify_on_end"
            await asyncio.to_thread(wait_for, lambda: db.execute(flagged).fetchone().n == 300)
            assert db.execute(LISTENERS).fetchone().n == 1
            post = await asyncio.to_thread(api.post, LINE)
            assert post.status == 202
            await asyncio.to_thread(lambda: settle(db, claim(db, ids, limit=300)))
            return await asyncio.gather(*asked)

    answers = asyncio.run(all_wait())
    assert {(a["http"], a["status"]) for a in answers} == {(200, "sent")}
    assert ends_of(api) == 0


def test_one_too_many_is_told_to_come_back(dsn: str, db) -> None:
    ids = enqueue(db, 6)
    roomy = Limits(connections_max=100)
    with serving(dsn, limits=roomy, connections_max=10) as api, asking(api) as ask:
        asked = [ask(id, 30) for id in ids[:5]]
        wait_for(lambda: ends_of(api) == 5)
        refused = api.get(f"/notifications/{ids[5]}?wait=30")
        assert (refused.status, refused.json["code"]) == (503, "too_many_waiting")
        assert int(refused.headers["Retry-After"]) >= 1
        assert api.get(f"/notifications/{ids[5]}").status == 200
        # ask_end() locks rows, which claim() skips.
        wait_for(lambda: all(db.execute(ASKED, [id]).fetchone().notify_on_end for id in ids[:5]))
        settle(db, claim(db, ids))
        assert {a.result().json["status"] for a in asked} == {"sent"}


def test_one_producer_leaves_half_of_the_places_to_others(dsn: str, db) -> None:
    keys = [a_key(db, producer=producer, scopes=["admin"]) for producer in ("shop", "other")]
    shop, other = [{"Authorization": f"Bearer {key}"} for key in keys]
    roomy = Limits(connections_max=100)
    with serving(dsn, limits=roomy, connections_max=12) as api, ThreadPoolExecutor(4) as pool:
        for id in enqueue(db, 2):  # the places are free again after the first time
            path = f"/notifications/{id}?wait=30"
            asked = [pool.submit(api.get, path, **shop) for _ in range(3)]
            wait_for(lambda: ends_of(api) == 3)
            refused = api.get(path, **shop)
            assert (refused.status, refused.json["code"]) == (503, "too_many_waiting")
            asked.append(pool.submit(api.get, path, **other))
            wait_for(lambda: ends_of(api) == 4)
            sent(db, id)
            assert {a.result().json["status"] for a in asked} == {"sent"}


def test_a_client_that_hangs_up_is_forgotten_at_once(api: Api, db) -> None:
    ids = enqueue(db, 20)
    clients = []
    for id in ids:
        client = socket.create_connection(("127.0.0.1", api.port))
        client.sendall(
            f"GET /notifications/{id}?wait=30 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        )
        clients.append(client)
    wait_for(lambda: ends_of(api) == 20)
    began = time.monotonic()
    for client in clients:
        client.close()
    wait_for(lambda: ends_of(api) == 0)
    assert time.monotonic() - began < SOON_S
    wait_for(lambda: db.execute(LISTENERS).fetchone().n == 0)


def test_a_connection_goes_on_after_a_wait(api: Api, db) -> None:
    [id] = enqueue(db)
    with socket.create_connection(("127.0.0.1", api.port), timeout=60) as client:
        for wait in (1, 0, 1):
            head = f"GET /notifications/{id}?wait={wait} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            client.sendall(head.encode())
            assert client.recv(65536).startswith(b"HTTP/1.1 200")


def test_who_waits_is_answered_when_the_service_ends(dsn: str, db) -> None:
    [id] = enqueue(db)
    with ThreadPoolExecutor() as pool:
        with serving(dsn) as api:
            asked = pool.submit(api.get, f"/notifications/{id}?wait=30")
            wait_for(lambda: ends_of(api) == 1)
            began = time.monotonic()
        answer = asked.result()
        assert (answer.status, answer.json["status"]) == (200, "queued")
        assert time.monotonic() - began < SOON_S


def test_a_database_that_is_cut_meanwhile_is_found_again(dsn: str, db) -> None:
    """An end while nobody could hear it is found by the look that follows the next LISTEN."""
    url = urlsplit(dsn)
    [id] = enqueue(db)
    with Link(dsn) as link:
        who = url.netloc.rpartition("@")[0]
        through = url._replace(netloc=f"{who}@127.0.0.1:{link.port}", query="").geturl()
        with serving(through) as api, asking(api) as ask:
            asked = ask(id, 30)
            wait_for(lambda: db.execute(LISTENING).fetchone().n)
            wait_for(lambda: db.execute(ASKED, [id]).fetchone().notify_on_end)
            link.cut()
            wait_for(lambda: db.execute(LISTENERS).fetchone().n == 0)
            sent(db, id)
            assert not asked.done()
            link.restore()
            answer = asked.result()
            assert (answer.status, answer.json["status"]) == (200, "sent")
            assert answer.took_s < 30


def test_a_session_that_was_ended_is_replaced(api: Api, db, waiting) -> None:
    [id] = enqueue(db)
    asked = waiting(id, 30)
    wait_for(lambda: db.execute(LISTENING).fetchone().n)
    end = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s"
    db.execute(end, ["notify-wait"])
    sent(db, id)
    assert asked.result().json["status"] == "sent"


def test_where_nothing_can_be_heard_it_looks_each_second(dsn: str, db, warned) -> None:
    [id] = enqueue(db)
    away = "postgresql://127.0.0.1:9/nowhere"
    with serving(dsn, database_direct_url=away) as api, asking(api) as ask:
        asked = ask(id, 30)
        wait_for(lambda: ends_of(api) == 1)
        sent(db, id)
        assert asked.result().json["status"] == "sent"
        assert db.execute(LISTENERS).fetchone().n == 0
    assert ["waits_hear_nothing" in line for line in warned] == [True]


def test_an_end_is_found_while_only_the_listening_session_is_cut(dsn: str, db) -> None:
    url = urlsplit(dsn)
    [id] = enqueue(db)
    with Link(dsn) as link:
        who = url.netloc.rpartition("@")[0]
        through = url._replace(netloc=f"{who}@127.0.0.1:{link.port}", query="").geturl()
        with serving(dsn, database_direct_url=through) as api, asking(api) as ask:
            asked = ask(id, 30)
            wait_for(lambda: db.execute(LISTENING).fetchone().n)
            link.cut()
            wait_for(lambda: db.execute(LISTENERS).fetchone().n == 0)
            sent(db, id)
            answer = asked.result()
            assert answer.json["status"] == "sent"
            assert answer.took_s < SOON_S


def test_who_comes_while_the_session_is_given_up_is_heard(
    api: Api, db, waiting, monkeypatch
) -> None:
    monkeypatch.setattr(ends, "LINGER_S", 0.001)
    for _ in range(10):
        [id] = enqueue(db)
        asked = waiting(id, 30)
        wait_for(lambda id=id: db.execute(ASKED, [id]).fetchone().notify_on_end)
        sent(db, id)
        assert asked.result().took_s < SOON_S


def test_bells_that_anybody_rings_are_no_ends(api: Api, db, other_db, waiting) -> None:
    [id] = enqueue(db)
    asked = waiting(id, 30)
    wait_for(lambda: db.execute(LISTENING).fetchone().n)
    for n in range(300):
        other_db.execute("select pg_notify('notify_end', %s)", [f"{n}'; drop table x"])
    with other_db.transaction():
        other_db.execute("select pg_notify('notify_end', n::text) from generate_series(1, 5000) n")
    assert not asked.done()
    sent(db, id)
    answer = asked.result()
    assert answer.json["status"] == "sent"
    assert answer.took_s < SOON_S


REVOKED = "select notify.revoke_key(%s, null, null)"
LOWERED = "update notify.api_keys set scopes = '{read}' where id = %s"
SENDS_ONLY = "update notify.api_keys set scopes = '{send}' where id = %s"


@pytest.mark.parametrize(
    ("done", "refusal"),
    [(REVOKED, (401, "key_invalid")), (SENDS_ONLY, (403, "scope_missing")),
     (LOWERED, (404, "notification_not_found"))],
)  # fmt: skip
def test_what_a_key_may_no_more_when_it_ends_is_not_answered(
    api: Api, db, waiting, done, refusal
) -> None:
    key = make(db, "operate", "read:payload", producer="ops")
    api.read_keys()
    [id] = enqueue(db)
    asked = waiting(id, 30, **bearer(key))
    wait_for(lambda: db.execute(ASKED, [id]).fetchone().notify_on_end)
    db.execute(done, [key.id])
    api.read_keys()
    sent(db, id)
    answer = asked.result()
    assert (answer.status, answer.json["code"]) == refusal
    assert "payload" not in answer.json


def test_who_waits_while_rights_are_lowered_sees_what_is_left(api: Api, db, waiting) -> None:
    key = make(db, "read:payload")
    api.read_keys()
    [id] = enqueue(db, producer="shop", payload='"secret"')
    asked = waiting(id, 30, **bearer(key))
    wait_for(lambda: db.execute(ASKED, [id]).fetchone().notify_on_end)
    db.execute(LOWERED, [key.id])
    api.read_keys()
    sent(db, id)
    answer = asked.result()
    assert (answer.status, answer.json["status"], answer.json["payload"]) == (200, "sent", None)
