"""The live events of one notification: they come when it moves, and end when nobody may look."""

import socket
import time
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from itertools import pairwise
from uuid import uuid4

import pytest

from service.console import events
from service.http.connections import Limits
from tests import ledger
from tests.integration.api.serving import LIMIT_S, serving
from tests.integration.console.browsing import Browser
from tests.integration.console.test_session import known
from tests.keys import bearer, make
from tests.waiting import wait_for

DRAIN_S = 5.0  # as tests/integration/api/serving.py gives it to the runner


@pytest.fixture
def browser(api):
    return Browser(api)


class Stream:
    """What a browser's EventSource hears."""

    def __init__(self, response):
        self._response = response
        self.status = response.status
        self.headers = response.headers

    def line(self):
        """Give the next line that is not empty; "" when the stream has ended."""
        while line := self._response.readline():
            if line != b"\n":
                return line.decode().rstrip("\n")
        return ""

    def event(self):
        """Give what the next event says; None: the stream has ended."""
        while line := self.line():
            if line.startswith("data: "):
                return line.removeprefix("data: ")
        return None


@contextmanager
def following(api, id, cookies=()):
    connection = HTTPConnection("127.0.0.1", api.port, timeout=LIMIT_S)
    cookie = "; ".join(f"{name}={value}" for name, value in dict(cookies).items())
    headers = {"Accept": "text/event-stream"} | ({"Cookie": cookie} if cookie else {})
    connection.request("GET", f"/console/notifications/{id}/events", headers=headers)
    try:
        yield Stream(connection.getresponse())
    finally:
        connection.close()


def counted(api):
    """Note the time of each look at a notification from now on."""
    looks = []
    standing = api.reads.standing

    async def look(asked):
        looks.append(time.monotonic())
        return await standing(asked)

    api.reads.standing = look
    return looks


def test_each_move_is_an_event_and_its_end_ends_the_stream(api, db, monkeypatch):
    monkeypatch.setattr(events, "LINGER_S", 0.0)
    [id] = ledger.enqueue(db)
    with following(api, id) as stream:
        assert stream.status == 200
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert stream.headers["Cache-Control"] == "no-store"
        assert stream.headers["X-Content-Type-Options"] == "nosniff"
        assert stream.line() == f"retry: {events.AGAIN_MS}"
        assert stream.event() == "queued"
        claimed = ledger.claim(db, [id])
        assert stream.event() == "sending"
        ledger.settle(db, claimed, "temporary")
        assert stream.event() == "queued"
        ledger.cancel(db, [id])
        assert [stream.event(), stream.event()] == ["cancelled", None]


def test_it_goes_on_for_a_while_after_the_end_so_that_a_redrive_is_seen(api, db):
    id = ledger.put(db, "failed")
    with following(api, id) as stream:
        assert stream.event() == "failed"
        ledger.redrive(db, ids=[id])
        assert stream.event() == "queued"


def test_one_viewer_looks_once_a_second_at_most(api, db):
    [id] = ledger.enqueue(db)
    looks = counted(api)
    with following(api, id) as stream:
        assert stream.event() == "queued"
        wait_for(lambda: len(looks) >= 4)
    assert all(later - sooner >= events.LOOK_S for sooner, later in pairwise(looks))


def test_a_stream_that_has_nothing_to_say_says_that_it_is_there(api, db, monkeypatch):
    monkeypatch.setattr(events, "BEAT_S", 0.5)
    [id] = ledger.enqueue(db)
    with following(api, id) as stream:
        assert stream.event() == "queued"
        assert stream.line().startswith(": ")
        assert stream.line().startswith(": ")


def test_a_stream_does_not_last_for_ever(api, db, monkeypatch):
    monkeypatch.setattr(events, "LASTS_S", 0.0)
    [id] = ledger.enqueue(db)
    with following(api, id) as stream:
        assert stream.event() == "queued"
        assert stream.event() is None


def test_a_revoked_key_ends_the_stream(api, db, browser):
    key = known(api, db, "operate")
    browser.log_in(key)
    [id] = ledger.enqueue(db)
    with following(api, id, browser.cookies) as stream:
        assert stream.event() == "queued"
        db.execute("select notify.revoke_key(%s, null, null)", [key.id])
        api.read_keys()
        looks = counted(api)
        assert stream.event() is None
    assert len(looks) <= 1  # one may have begun before


def test_a_stream_takes_nothing_of_its_keys_limit_while_it_lasts(api, db, browser):
    key = known(api, db, "operate", rate_per_s=0.001, burst=2)
    browser.log_in(key)
    [id] = ledger.enqueue(db)
    with following(api, id, browser.cookies) as stream:
        assert stream.event() == "queued"
        claimed = ledger.claim(db, [id])
        assert stream.event() == "sending"
        ledger.settle(db, claimed, "temporary")
        assert stream.event() == "queued"
    assert api.get(f"/notifications/{id}", **bearer(key)).status == 200
    assert api.get(f"/notifications/{id}", **bearer(key)).status == 429


def test_without_a_session_it_leads_to_the_login(api, db):
    known(api, db, "operate")
    [id] = ledger.enqueue(db)
    with following(api, id) as stream:
        assert stream.status == 303


def test_what_is_not_there_or_goes_away_is_no_stream(api, db):
    with following(api, uuid4()) as stream:
        assert stream.status == 404
    [id] = ledger.enqueue(db)
    with following(api, id) as stream:
        assert stream.event() == "queued"
        db.execute("delete from notify.notifications where id = %s", [id])
        assert stream.event() is None


def test_too_many_viewers_are_refused_and_a_place_is_free_when_one_leaves(dsn, db, monkeypatch):
    monkeypatch.setattr(events, "VIEWERS_MAX", 2)
    [id] = ledger.enqueue(db)
    with serving(dsn) as api, following(api, id) as first:
        with following(api, id) as second:
            assert first.event() == second.event() == "queued"
            with following(api, id) as third:
                assert third.status == 503
            assert api.get("/healthz").status == 200

        def has_room():
            with following(api, id) as another:
                return another.status == 200 and another.event() == "queued"

        wait_for(has_room)
        assert first.status == 200


def test_one_producer_has_half_of_the_places(dsn, db, monkeypatch):
    monkeypatch.setattr(events, "VIEWERS_MAX", 2)
    [id] = ledger.enqueue(db)
    keys = [make(db, "operate", producer=producer) for producer in ("shop", "ops")]
    with serving(dsn) as api:
        shop, ops = Browser(api), Browser(api)
        for browser, key in zip((shop, ops), keys, strict=True):
            browser.log_in(key)
        with following(api, id, shop.cookies) as first:
            assert first.event() == "queued"
            with following(api, id, shop.cookies) as second:
                assert second.status == 503
            with following(api, id, ops.cookies) as other:
                assert other.event() == "queued"


def test_viewers_leave_places_for_requests(dsn, db):
    [id] = ledger.enqueue(db)
    with (
        serving(dsn, connections_max=8) as api,
        following(api, id) as first,
        following(api, id) as second,
    ):
        assert first.event() == second.event() == "queued"
        with following(api, id) as third:
            assert third.status == 503
        assert api.get("/healthz").status == 200


def test_a_viewer_who_does_not_read_loses_the_connection_and_its_place(dsn, db, monkeypatch):
    monkeypatch.setattr(events, "VIEWERS_MAX", 1)
    monkeypatch.setattr(events, "BEAT_S", 0.0)
    [id] = ledger.enqueue(db)
    limits = Limits(connections_max=20, answer_s=1.0)
    with serving(dsn, limits=limits) as api:
        monkeypatch.setattr(events, "moved", lambda standing: b": " + b"x" * 16_000_000 + b"\n\n")
        with following(api, id):

            def has_room():
                with following(api, id) as another:
                    return another.status == 200

            wait_for(has_room)


def test_who_sends_no_more_before_the_stream_begins_keeps_no_place(dsn, db):
    [id] = ledger.enqueue(db)
    limits = Limits(connections_max=20, answer_s=10 * LIMIT_S)
    with (
        serving(dsn, limits=limits) as api,
        socket.create_connection(("127.0.0.1", api.port), LIMIT_S) as half,
    ):
        half.sendall(
            b"GET /console/notifications/%b/events HTTP/1.1\r\nHost: a\r\n\r\n" % str(id).encode()
        )
        half.shutdown(socket.SHUT_WR)
        while half.recv(65536):
            pass


def test_shutting_down_ends_the_streams_and_waits_for_none(dsn, db):
    [id] = ledger.enqueue(db)
    with ExitStack() as server:
        api = server.enter_context(serving(dsn))
        with following(api, id) as stream:
            assert stream.event() == "queued"
            began = time.monotonic()
            server.close()
            assert time.monotonic() - began < DRAIN_S
            assert stream.event() is None


def test_while_the_database_is_away_the_stream_ends_and_the_page_says_so(api, db):
    [id] = ledger.enqueue(db)
    with following(api, id) as stream:
        assert stream.event() == "queued"
        db.execute("alter table notify.notifications rename to gone")
        assert stream.event() is None
        page = Browser(api).get(f"/console/notifications/{id}")
        assert (page.status, "The database is away" in page.text) == (503, True)
        db.execute("alter table notify.gone rename to notifications")


def test_the_page_asks_for_events_only_while_it_can_move(browser, db):
    for status, follows in (("queued", True), ("sending", True), ("sent", False)):
        text = browser.get(f"/console/notifications/{ledger.put(db, status)}").text
        assert ("data-events" in text) is follows
        assert "/console/static/live.js?v=" in text
