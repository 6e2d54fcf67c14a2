"""POST /notify/batch: each item is accepted or refused by itself, in one round trip."""

import asyncio
import json
import socket
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection

import psycopg
import pytest

from service.api import items, slices
from service.api.batcher import Batcher
from service.api.ready import ready
from service.http.connections import Limits
from service.limits import BATCH_BODY_BYTES_MAX, BATCH_ITEMS_MAX, BODY_BYTES_MAX
from tests.integration.api.serving import HOOK, LIMIT_S, LINE, MAIL, Api, serving
from tests.integration.api.test_database_away import linked  # noqa: F401 - a fixture
from tests.keys import bearer, make
from tests.waiting import wait_for

NDJSON = "application/x-ndjson"
GOOD = json.dumps(LINE).encode()
COUNT = "select count(*)::integer as n from notify.notifications"


def post(api: Api, body, content_type="application/json", **headers):
    """POST a batch: bytes as they are, a list as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.ask("POST", "/notify/batch", data, **{"Content-Type": content_type}, **headers)


def code(answer):
    """Give the status of a whole batch that was refused, and the code."""
    return answer.status, answer.json["code"]


def codes(answer):
    """Give the code of each item's problem; None: it was accepted."""
    assert answer.status == 200
    results = answer.json["items"]
    assert [item["index"] for item in results] == list(range(len(results)))
    refused = [item["problem"]["code"] if "problem" in item else None for item in results]
    assert answer.json["refused"] == len(results) - refused.count(None)
    assert answer.json["accepted"] == refused.count(None)
    return refused


def test_a_batch_is_accepted_item_by_item_in_order(api: Api, db) -> None:
    answer = post(api, [HOOK | {"reference": "a"}, MAIL | {"reference": "b"}, LINE])
    assert codes(answer) == [None] * 3
    rows = db.execute("select id::text, channel from notify.notifications order by id").fetchall()
    assert [item["id"] for item in answer.json["items"]] == [row.id for row in rows]
    assert [row.channel for row in rows] == ["webhook", "email", "log"]
    first = answer.json["items"][0]
    assert set(first) == {"index", "id", "status", "created_at", "links"}
    found = api.get(first["links"]["self"]).json
    assert (found["created_at"], found["status"]) == (first["created_at"], first["status"])


@pytest.mark.parametrize("content_type", [NDJSON, f"{NDJSON}; charset=UTF-8"])
def test_a_batch_may_be_one_notification_a_line(api: Api, db, content_type) -> None:
    lines = [json.dumps(LINE | {"reference": str(n)}) for n in range(3)]
    answer = post(api, "\n".join(lines).encode(), content_type)
    assert codes(answer) == [None] * 3
    stored = dict(db.execute("select id::text, reference from notify.notifications").fetchall())
    assert [stored[item["id"]] for item in answer.json["items"]] == ["0", "1", "2"]


def test_a_thousand_are_one_round_trip_and_one_commit(api: Api, db) -> None:
    answer = post(api, [LINE] * BATCH_ITEMS_MAX)
    assert codes(answer) == [None] * BATCH_ITEMS_MAX
    assert api.metric("api_enqueue_batch_rows_count") == 1
    commits = "select count(distinct xmin::text)::integer as n from notify.notifications"
    assert db.execute(commits).fetchone().n == 1


def test_a_half_bad_batch_keeps_its_good_half(api: Api, db) -> None:
    bad = [{}, HOOK | {"recipient": "x"}, LINE | {"priority": 9}, LINE | {"x": 1}, 1, None, "s", []]
    answer = post(api, [item for wrong in bad for item in (LINE, wrong)])
    assert codes(answer) == [
        None, "missing_field", None, "invalid_recipient", None, "invalid_priority",
        None, "unknown_field", None, "not_an_object", None, "not_an_object",
        None, "not_an_object", None, "not_an_object",
    ]  # fmt: skip
    alone = api.post(LINE | {"priority": 9}).json
    assert answer.json["items"][5] == {"index": 5, "problem": alone}
    assert db.execute(COUNT).fetchone().n == 8
    assert api.metric("api_jobs_enqueued_total", channel="log") == 8
    assert api.metric("api_jobs_enqueue_failed_total", reason="invalid") == 9


def test_what_only_the_database_refuses_costs_that_item_alone(api: Api, db) -> None:
    db.execute(
        "create function closed() returns trigger language plpgsql as"
        " $$ begin raise exception 'orders are closed'; end $$;"
        "create function dropped() returns trigger language plpgsql as"
        " $$ begin return null; end $$;"
        "create trigger closed before insert on notify.notifications"
        " for each row when (new.reference = 'order') execute function closed();"
        "create trigger dropped before insert on notify.notifications"
        " for each row when (new.reference = 'nothing') execute function dropped()"
    )
    answer = post(api, [LINE | {"reference": r} for r in ("a", "order", "nothing", "b")])
    assert codes(answer) == [None, "refused_by_database", "dropped_by_database", None]


def test_a_batch_that_is_repeated_with_its_keys_counts_once(api: Api, db) -> None:
    keyed = [LINE | {"idempotency_key": key} for key in ("a", "b", "a")]
    first, again = post(api, keyed), post(api, [*keyed, LINE | {"idempotency_key": "c"}])
    assert codes(first) == [None] * 3
    assert codes(again) == [None] * 4
    ids = [item["id"] for item in first.json["items"]]
    assert ids[0] == ids[2] != ids[1]
    assert [item["id"] for item in again.json["items"]][:3] == ids
    assert [item.get("replayed") for item in first.json["items"]] == [None, None, True]
    assert [item.get("replayed") for item in again.json["items"]] == [True, True, True, None]
    assert db.execute(COUNT).fetchone().n == 3
    assert api.metric("api_jobs_enqueued_total", channel="log") == 3


def test_a_key_for_another_request_costs_that_item_alone(api: Api, db) -> None:
    key = {"idempotency_key": "a"}
    answer = post(api, [LINE | key, HOOK | key, LINE, LINE | {"idempotency_key": ""}])
    assert codes(answer) == [None, "idempotency_key_reused", None, "invalid_idempotency_key"]
    assert db.execute(COUNT).fetchone().n == 2


def test_a_defect_of_ours_costs_its_items_alone_and_is_logged_once(
    api: Api, db, monkeypatch, tracebacks, events
) -> None:
    def failing(notification, *more):
        if notification.reference == "odd":
            raise OverflowError("date value out of range")
        return ready(notification, *more)

    monkeypatch.setattr("service.api.intake.ready", failing)
    answer = post(api, [LINE, LINE | {"reference": "odd"}, LINE | {"reference": "odd"}, LINE])
    assert codes(answer) == [None, "internal_error", "internal_error", None]
    assert db.execute(COUNT).fetchone().n == 2
    assert tracebacks == ["request_failed"]
    assert ("request_failed", {"method": "POST", "path": "/notify/batch", "items": 2}) in events
    assert api.metric("api_jobs_enqueue_failed_total", reason="unavailable") == 2


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59"])
def test_a_time_that_was_left_empty_costs_that_item_alone(api: Api, at, tracebacks) -> None:
    empty = LINE | {"send_at": at, "idempotency_key": "k"}
    assert codes(post(api, [LINE, empty, LINE])) == [None, "invalid_send_at", None]
    assert tracebacks == []


def test_a_key_in_an_open_transaction_costs_that_item_alone(api: Api, dsn: str, db) -> None:
    insert = (
        "insert into notify.notifications (channel, recipient, payload, idempotency_key)"
        " values ('log', 'me', 'null', 'open')"
    )
    with psycopg.connect(dsn) as producer:
        producer.execute(insert)
        answer = post(api, [LINE, LINE | {"idempotency_key": "open"}, LINE])
        assert codes(answer) == [None, "idempotency_key_in_flight", None]
        assert answer.headers["Retry-After"] == "1"
        producer.rollback()
    answer = post(api, [LINE | {"idempotency_key": "open"}])
    assert codes(answer) == [None]
    assert "Retry-After" not in answer.headers


def test_one_key_for_a_whole_batch_is_refused_by_name(api: Api, db) -> None:
    answer = post(api, [LINE], **{"Idempotency-Key": "a"})
    assert code(answer) == (422, "invalid_idempotency_key")
    assert "each" in answer.json["detail"]
    assert db.execute(COUNT).fetchone().n == 0


def test_each_accepted_item_has_its_line_in_the_log(api: Api, db) -> None:
    from loguru import logger

    rows: list[dict[str, object]] = []
    sink = logger.add(lambda line: rows.extend(line.record["extra"].get("_rows", ())))
    ids = [item.get("id") for item in post(api, [LINE, {}, HOOK]).json["items"]]
    logger.remove(sink)
    assert [(str(row["notification_id"]), row["channel"]) for row in rows] == [
        (ids[0], "log"),
        (ids[2], "webhook"),
    ]


def test_no_items_are_no_error(api: Api) -> None:
    nothing = {"accepted": 0, "refused": 0, "items": []}
    for answer in (post(api, []), post(api, b"\n\r\n \n", NDJSON)):
        assert (answer.status, answer.json) == (200, nothing)


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (b"", (400, "empty_body")),
        (b"[", (400, "invalid_json")),
        (b"]", (400, "invalid_json")),
        (b"nothing", (400, "invalid_json")),
        (b"[" + GOOD + b",]", (400, "invalid_json")),
        (b"[" + GOOD, (400, "invalid_json")),
        (b"[" + GOOD + b"]]", (400, "invalid_json")),
        (b"\xef\xbb\xbf[]", (400, "invalid_json")),
        (b"[NaN]", (400, "invalid_json")),
        (b"{}", (422, "not_an_array")),
        (GOOD, (422, "not_an_array")),
        (b'"[]"', (422, "not_an_array")),
        (b"null", (422, "not_an_array")),
        (b"[" * 5_000_000, (422, "too_deeply_nested")),
        (b"[" * 2000 + b"]" * 2001, (400, "invalid_json")),
        (b'["\\ud800",]', (400, "invalid_json")),
        (b'["\\ud800"\x0b]', (400, "invalid_json")),
        (b'["\\ud800"' + b",1" * BATCH_ITEMS_MAX + b"]", (413, "batch_too_large")),
        (b"," * 5_000_000, (400, "invalid_json")),
        (b'"' * 5_000_000, (422, "not_an_array")),
        (b'"' + b"x" * 5_000_000 + b'"', (422, "not_an_array")),
        (b"[" + b"1," * 2_600_000 + b"1]", (413, "batch_too_large")),
        (b"[" + b"[]," * 1_700_000 + b"1]", (413, "batch_too_large")),
        (b"[" + GOOD + (b"," + GOOD) * BATCH_ITEMS_MAX + b"]", (413, "batch_too_large")),
        (b" " * (BATCH_BODY_BYTES_MAX + 1), (413, "batch_too_large")),
    ],
    ids=lambda value: str(value)[:24],
)  # fmt: skip
def test_a_body_that_is_no_batch_is_refused_as_a_whole(api: Api, db, body, refused) -> None:
    answer = post(api, body)
    assert code(answer) == refused
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert db.execute(COUNT).fetchone().n == 0
    assert api.metric("api_jobs_enqueue_failed_total", reason="invalid") == 1


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (GOOD, [None]),
        (GOOD + b"\n", [None]),
        (GOOD + b"\r\n" + GOOD + b"\r\n\r\n", [None, None]),
        (b"\n\n \t\r\n" + GOOD + b"\n\n\n" + GOOD, [None, None]),
        (b"\xef\xbb\xbf" + GOOD + b"\n" + GOOD, ["invalid_json", None]),
        (GOOD + b"\n" + GOOD[:-1] + b"\n" + GOOD, [None, "invalid_json", None]),
        (GOOD + GOOD + b"\n" + GOOD, ["invalid_json", None]),
        (b"[" + GOOD + b"]\n" + GOOD, ["not_an_object", None]),
        (b"nothing\n" + GOOD, ["invalid_json", None]),
        (b"\xff\n" + GOOD, ["invalid_encoding", None]),
        (b'{"channel":"log","recipient":"a","payload":"\\ud800"}\n' + GOOD,
         ["lone_surrogate", None]),
        (b'{"channel":"log","recipient":"a","payload":"\\u0000"}\n' + GOOD,
         ["nul_character", None]),
        (b'{"channel":"log","recipient":"a","payload":"\x00"}\n' + GOOD, ["invalid_json", None]),
        (b"\x00\n\x0c\n" + GOOD, ["invalid_json", "invalid_json", None]),
        (b"[" * 100_000 + b"\n" + GOOD, ["not_an_object", None]),
        (b'{"channel":"log","recipient":"a","payload":' + b"[" * 65 + b"]" * 65 + b"}\n" + GOOD,
         ["too_deeply_nested", None]),
        (b'{"channel":"log","recipient":"a","recipient":"b","payload":1}\n', [None]),
        (b" " * BODY_BYTES_MAX + GOOD + b"\n" + GOOD, ["body_too_large", None]),
        (b"x" * 5_000_000 + b"\n" + GOOD, ["body_too_large", None]),
        (GOOD + b"\n" + b" " * 5_000_000, [None]),
    ],
    ids=lambda value: str(value)[:24],
)  # fmt: skip
def test_a_wrong_line_costs_only_itself(api: Api, db, body, refused) -> None:
    assert codes(post(api, body, NDJSON)) == refused
    assert db.execute(COUNT).fetchone().n == refused.count(None)


@pytest.mark.parametrize(
    ("payload", "refused"),
    [
        (b'"caf\\ud83d"', "lone_surrogate"),
        (b'"\\ud83d\\ud83d\\ude00"', "lone_surrogate"),
        (b'{"\\udc00": "\\\\"}', "lone_surrogate"),
        (b'"\x00"', "invalid_json"),
        (b'"a\nb"', "invalid_json"),
        (b'"\\x"', "invalid_json"),
        (b'"C:\\Users"', "invalid_json"),
        (b"[" * 2000 + b"]" * 2000, "too_deeply_nested"),
        (b'{"a": [' * 1000 + b'"]\\"}"' + b"]}" * 1000, "too_deeply_nested"),
        (b'["\\ud83d", ' + b"[" * 2000 + b"]" * 2000 + b"]", "too_deeply_nested"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_wrong_payload_in_an_array_costs_only_its_item(api: Api, db, payload, refused) -> None:
    bad = b'{"channel": "log", "recipient": "me", "payload": ' + payload + b"}"
    odd = json.dumps(LINE | {"payload": '\\ "[\U0001f600'}).encode()
    answer = post(api, b" [\n" + odd + b" ,\t" + bad + b"," + GOOD + b" , " + bad + b"]\r\n")
    assert codes(answer) == [None, refused, None, refused]
    alone = api.ask("POST", "/notify", bad, **{"Content-Type": "application/json"})
    assert answer.json["items"][1]["problem"] == alone.json
    stored = db.execute("select payload from notify.notifications order by id").fetchall()
    assert [row.payload for row in stored] == ['\\ "[\U0001f600', LINE["payload"]]


def test_others_have_their_turn_while_deep_items_are_followed(monkeypatch) -> None:
    monkeypatch.setattr(slices, "SLICE_S", 0.0)
    turns: list[int] = []

    async def others() -> None:
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    async def both() -> list[bytes]:
        beside = asyncio.create_task(others())
        found = await items.elements(b"[1," + b"[" * 2000 + b"[]," * 2000 + b"1" + b"]" * 2001)
        beside.cancel()
        return found

    assert [item[:2] for item in asyncio.run(both())] == [b"1", b"[["]
    assert len(turns) > 40


@pytest.mark.parametrize(
    "body",
    [b"\n" * 5_000_000, b"1\n" * 2_500_000, (GOOD + b"\n") * (BATCH_ITEMS_MAX + 1)],
    ids=["blank", "numbers", "one more"],
)
def test_too_many_lines_are_refused_by_name(api: Api, db, body) -> None:
    assert code(post(api, body, NDJSON)) == (413, "batch_too_large")
    assert db.execute(COUNT).fetchone().n == 0


def test_an_items_limit_is_that_of_a_body(api: Api) -> None:
    large = [LINE | {"payload": "x" * BODY_BYTES_MAX}, LINE | {"payload": "x" * 200_000}]
    assert codes(post(api, large)) == ["body_too_large", None]


def test_duplicate_names_count_as_in_a_single_post(api: Api, db) -> None:
    body = b'[{"channel":"log","recipient":"a","payload":1,"recipient":"b"}]'
    assert codes(post(api, body)) == [None]
    assert db.execute("select recipient from notify.notifications").fetchone().recipient == "b"


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "application/x-www-form-urlencoded", "",
     "application/x-ndjson; charset=utf-16", "application/json; charset=latin-1"],
)  # fmt: skip
def test_other_media_types_are_refused(api: Api, content_type) -> None:
    assert code(post(api, [LINE], content_type)) == (415, "unsupported_media_type")


def test_compressed_batches_are_refused_as_elsewhere(api: Api) -> None:
    answer = post(api, [LINE], **{"Content-Encoding": "gzip"})
    assert code(answer) == (415, "unsupported_content_encoding")


def test_a_chunked_body_counts_as_it_comes(api: Api, db) -> None:
    connection = HTTPConnection("127.0.0.1", api.port, timeout=LIMIT_S)
    chunks = (b"[%b]" % GOOD if n == 0 else b" " * 65_536 for n in range(100))
    connection.putrequest("POST", "/notify/batch")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    try:
        for chunk in chunks:
            connection.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        connection.send(b"0\r\n\r\n")
    except ConnectionError:
        pass  # it has heard enough
    with connection.getresponse() as response:
        assert json.loads(response.read())["code"] == "batch_too_large"
    connection.close()
    assert db.execute(COUNT).fetchone().n == 0


@contextmanager
def half_a_body(api: Api, bytes_: int, **headers: str) -> Iterator[socket.socket]:
    """Send the head of a batch and a part of its body."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=LIMIT_S) as client:
        head = "POST /notify/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
        head += "".join(f"\r\n{name}: {value}" for name, value in headers.items())
        client.sendall(f"{head}\r\nContent-Length: {BATCH_BODY_BYTES_MAX}\r\n\r\n".encode())
        client.sendall(b" " * bytes_)
        yield client


def test_a_body_that_never_ends_is_cut_off(dsn: str) -> None:
    with serving(dsn, limits=Limits(connections_max=10, body_s=0.2)) as api:
        with half_a_body(api, 1000) as client:
            assert client.recv(65_536) == b""
        assert codes(post(api, [LINE])) == [None]


@pytest.fixture
def bodies(monkeypatch) -> Iterator[list[items.Bodies]]:
    """Give what holds the bodies, once one came; together they may be of 2 MB."""
    monkeypatch.setattr(items, "BODIES_BYTES_MAX", 2_000_000)
    monkeypatch.setattr(items, "PRODUCER_BYTES_MAX", 1_000_000)
    held: list[items.Bodies] = []
    receive = items.Bodies._receive

    async def noting(self, *args):
        held.append(self)
        await receive(self, *args)

    monkeypatch.setattr(items.Bodies, "_receive", noting)
    yield held
    wait_for(lambda: held[0].held_bytes == 0 and held[0].by_producer == {})


def test_only_so_many_bytes_of_bodies_are_held(api: Api, db, bodies) -> None:
    with half_a_body(api, 1_900_000):
        wait_for(lambda: bodies and bodies[0].held_bytes == 1_900_000)
        answer = post(api, [LINE | {"payload": "x" * 200_000}])
        assert code(answer) == (503, "overloaded")
        assert answer.headers["Retry-After"] == "1"
        assert codes(post(api, [LINE])) == [None]
        assert api.post(LINE).status == 202
    wait_for(lambda: bodies[0].held_bytes == 0)
    assert codes(post(api, [LINE | {"payload": "x" * 200_000}])) == [None]


def test_one_producer_holds_half_of_the_bytes_of_bodies_at_most(api: Api, db, bodies) -> None:
    shop, again, other = (
        bearer(make(db, *scopes, producer=producer))
        for producer, scopes in [("shop", ["send"]), ("shop", ["send", "read"]), ("other", [])]
    )
    api.read_keys()
    large = [LINE | {"payload": "x" * 200_000}]
    with half_a_body(api, 450_000, **shop), half_a_body(api, 450_000, **again):
        wait_for(lambda: bodies and bodies[0].held_bytes == 900_000)
        for key in (shop, again):
            assert code(post(api, large, **key)) == (503, "overloaded")
            assert codes(post(api, [LINE], **key)) == [None]
        assert codes(post(api, large * 4, **other)) == [None] * 4
    wait_for(lambda: bodies[0].held_bytes == 0)
    assert codes(post(api, large * 4, **shop)) == [None] * 4


def test_without_keys_there_is_nobody_to_leave_room_for(api: Api, bodies) -> None:
    with half_a_body(api, 900_000), half_a_body(api, 900_000):
        wait_for(lambda: bodies and bodies[0].held_bytes == 1_800_000)
        assert codes(post(api, [LINE])) == [None]


def test_several_of_the_largest_bodies_fit_a_producers_part() -> None:
    assert 3 * BATCH_BODY_BYTES_MAX <= items.PRODUCER_BYTES_MAX < items.BODIES_BYTES_MAX


def test_the_decoder_does_not_build_what_is_too_much() -> None:
    body = b"[" + b"1," * 2_500_000 + b"1]"
    tracemalloc.start()
    with pytest.raises(Exception, match="batch_too_large"):
        asyncio.run(items.elements(body))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_batch_is_refused_as_a_whole_when_too_much_waits(api: Api, db, monkeypatch) -> None:
    monkeypatch.setattr("service.api.batcher.WAITING_ROWS_MAX", 2)
    assert code(post(api, [LINE] * 3)) == (503, "overloaded")
    assert db.execute(COUNT).fetchone().n == 0
    assert codes(post(api, [LINE] * 2)) == [None] * 2


def test_a_single_request_does_not_wait_behind_a_batch(api: Api, dsn: str, db) -> None:
    db.execute(
        "create function held() returns trigger language plpgsql as"
        " $$ begin perform pg_advisory_xact_lock(7); return new; end $$;"
        "create trigger held before insert on notify.notifications"
        " for each row when (new.reference = 'held') execute function held()"
    )
    waiting = "select count(*) as n from pg_locks where locktype = 'advisory' and not granted"
    with psycopg.connect(dsn) as holder, ThreadPoolExecutor(1) as beside:
        holder.execute("select pg_advisory_xact_lock(7)")
        held = beside.submit(post, api, [LINE | {"reference": "held"}] * 10)
        wait_for(lambda: db.execute(waiting).fetchone().n == 1)
        assert [api.post(LINE).status for _ in range(5)] == [202] * 5
        assert not held.done()
        holder.rollback()
        assert codes(held.result(LIMIT_S)) == [None] * 10


def test_others_have_their_turn_while_items_are_checked(monkeypatch) -> None:
    monkeypatch.setattr(slices, "SLICE_S", 0.0)
    turns: list[str] = []

    async def others() -> None:
        for _ in range(3):
            turns.append("other")
            await asyncio.sleep(0)

    async def both() -> None:
        await asyncio.gather(slices.in_slices(turns.append, ["item"] * 3), others())

    asyncio.run(both())
    assert turns == ["item", "other"] * 3


def test_a_client_that_leaves_changes_nothing(api: Api, db, monkeypatch) -> None:
    begun, left = threading.Event(), threading.Event()
    take = Batcher._take

    def waiting(batcher):
        begun.set()
        left.wait(LIMIT_S)
        return take(batcher)

    monkeypatch.setattr(Batcher, "_take", waiting)
    body = json.dumps([LINE] * 50).encode()
    with socket.create_connection(("127.0.0.1", api.port), timeout=LIMIT_S) as client:
        head = "POST /notify/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
        client.sendall(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        assert begun.wait(LIMIT_S)
    left.set()
    wait_for(lambda: db.execute(COUNT).fetchone().n == 50)
    assert api.post(LINE).status == 202


def test_a_database_that_goes_away_is_a_503_for_the_whole_batch(linked) -> None:  # noqa: F811
    api, link = linked
    assert codes(post(api, [LINE])) == [None]
    link.cut()
    assert codes(post(api, [{}])) == ["missing_field"]
    answer = post(api, [LINE, {}, LINE])
    assert code(answer) == (503, "database_unavailable")
    assert answer.headers["Retry-After"] == "1"
    assert api.metric("api_jobs_enqueue_failed_total", reason="unavailable") == 3
    assert code(post(api, [LINE])) == (503, "database_unavailable")
    link.restore()
    wait_for(lambda: post(api, [LINE]).status == 200)
