"""The log lines of real processes: a story per id across the roles, and nothing that is private."""

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.acceptance.conftest import Command, free_port, get, post
from tests.loki import HANG, FakeLoki, fake_loki
from tests.waiting import LIMIT_S, wait_for

Start = Callable[..., Command]
PAYLOAD, PATH, QUERY, PERSON = "payl0ad-marker", "path-marker", "query-marker", "whole.person"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOKI_PASSWORD = "loki-passw0rd"


@contextmanager
def receiver() -> Iterator[tuple[str, list[int]]]:
    """Answer webhooks with the statuses in the list, then 204, and show each its own body."""
    statuses: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(statuses.pop(0) if statuses else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", statuses
        finally:
            server.shutdown()
            thread.join()


class Roles:
    """`notify api`, `dispatcher` and `worker`, whose lines go to a Loki."""

    def __init__(self, start: Start, dsn: str, redis_url: str, loki_url: str) -> None:
        port = free_port()
        self.api = f"http://127.0.0.1:{port}"
        self.commands = {
            role: start(
                role,
                DATABASE_URL=dsn,
                REDIS_URL=redis_url,
                LOKI_URL=loki_url,
                PORT=str(port),
                METRICS_PORT=str(free_port()),
                WEBHOOK_SECRET=SECRET,
                WEBHOOK_ALLOW="127.0.0.0/8",
                RETRY_SCHEDULE="0.05s",
            )
            for role in ("api", "dispatcher", "worker")
        }
        self.commands["api"].says('"event":"api"')
        self.commands["dispatcher"].says('"event":"leading"')
        self.commands["worker"].says('"event":"worker_started"')

    def sends(self, recipient: str, **more: object) -> str:
        """Enqueue a webhook; gives its id."""
        body = {"channel": "webhook", "recipient": recipient, "payload": {"x": PAYLOAD}, **more}
        return str(post(f"{self.api}/notify", body)["id"])

    def becomes(self, id: str, status: str) -> None:
        wait_for(lambda: get(f"{self.api}/notifications/{id}")["status"] == status)

    def output(self) -> str:
        return "".join(command.output for command in self.commands.values())

    def stop(self) -> None:
        for command in self.commands.values():
            assert command.stop() == 0, command.output


@pytest.fixture
def loki() -> Iterator[FakeLoki]:
    with fake_loki() as loki:
        yield loki


def test_a_search_for_an_id_tells_its_story_across_the_roles(
    start: Start, dsn: str, redis_url: str, loki: FakeLoki
) -> None:
    with receiver() as (url, statuses):
        statuses[:] = [503]
        roles = Roles(start, dsn, redis_url, loki.url)
        id = roles.sends(url, reference="order 7")
        roles.becomes(id, "sent")
        roles.sends(url)
        wait_for(lambda: len(loki.story(id)) == 5)
        roles.stop()

    story = sorted(loki.story(id), key=lambda one: one.fields.get("attempt", 0))
    told = [(one.labels["role"], one.fields["event"], one.fields.get("attempt")) for one in story]
    assert [one for one in told if one[0] == "api"] == [("api", "enqueued", None)]
    assert [one for one in told if one[0] != "api"] == [
        ("worker", "claimed", 1),
        ("worker", "retry", 1),
        ("worker", "claimed", 2),
        ("worker", "sent", 2),
    ]
    assert {frozenset(one.labels) for one in loki.taken} == {frozenset(("app", "role", "level"))}
    assert {one.labels["role"] for one in loki.taken} == {"api", "dispatcher", "worker"}
    assert {one.labels["app"] for one in loki.taken} == {"notify"}
    everything = roles.output()
    assert all(one.line in everything for one in loki.taken)


def test_a_row_inserted_by_sql_begins_its_story_with_its_claim(
    start: Start, dsn: str, redis_url: str, loki: FakeLoki
) -> None:
    Roles(start, dsn, redis_url, loki.url)
    with psycopg.connect(dsn, autocommit=True) as conn:
        [[id]] = conn.execute(
            "insert into notify.notifications (channel, recipient, payload)"
            " values ('log', 'r', '1') returning id::text"
        ).fetchall()
    wait_for(lambda: len(loki.story(id)) == 2)
    assert [one.fields["event"] for one in loki.story(id)] == ["claimed", "sent"]


def test_no_line_holds_a_payload_a_secret_or_a_whole_recipient(
    start: Start, dsn: str, redis_url: str, loki: FakeLoki
) -> None:
    url = loki.url.replace("//", f"//user:{LOKI_PASSWORD}@")
    with receiver() as (base, statuses), psycopg.connect(dsn, autocommit=True) as conn:
        roles = Roles(start, dsn, redis_url, url)
        whole = f"{base}/{PATH}?token={QUERY}"
        for answers, end in (([], "sent"), ([410], "failed"), ([500], "sent")):
            statuses[:] = answers
            roles.becomes(roles.sends(whole), end)
        mail = {"channel": "email", "recipient": f"{PERSON}@example.org"}
        with pytest.raises(HTTPError):
            post(f"{roles.api}/notify", mail | {"payload": PAYLOAD, "priority": 9})
        for channel, recipient in (("webhook", rf"http://a\b/{QUERY}"), tuple(mail.values())):
            with conn.transaction():
                conn.execute("set local session_replication_role = replica")  # nobody checks it
                conn.execute(
                    "insert into notify.notifications (channel, recipient, payload, max_attempts)"
                    " values (%s, %s, %s, 1)",
                    [channel, recipient, json.dumps({"subject": PAYLOAD, "text": PAYLOAD})],
                )
        wait_for(lambda: roles.commands["worker"].output.count('"event":"failed"') == 3)
        roles.stop()

    printed = roles.output() + "".join(one.line for one in loki.taken)
    assert printed.count('"event":"failed"') == 6
    password = str(conninfo_to_dict(dsn).get("password") or "")
    for marker in (PAYLOAD, PATH, QUERY, PERSON, SECRET, SECRET[6:], LOKI_PASSWORD, password):
        assert not marker or marker not in printed, marker


@pytest.mark.slow  # seconds pass
@pytest.mark.parametrize("role", ["api", "dispatcher", "worker"])
def test_a_loki_that_hangs_holds_up_no_exit(
    start: Start, dsn: str, redis_url: str, loki: FakeLoki, role: str
) -> None:
    loki.answer = HANG
    command = start(
        role,
        DATABASE_URL=dsn,
        REDIS_URL=redis_url,
        LOKI_URL=loki.url,
        PORT=str(free_port()),
        METRICS_PORT=str(free_port()),
    )
    wait_for(lambda: loki.requests)
    assert command.stop(signal.SIGTERM) == 0  # it would hang for ever
    assert '"event":"log_lines_not_pushed"' in command.output


def test_every_role_shows_what_became_of_its_lines(
    start: Start, dsn: str, redis_url: str, loki: FakeLoki
) -> None:
    from urllib.request import urlopen

    for role in ("api", "dispatcher", "worker"):
        port = str(free_port())
        given = {"PORT" if role == "api" else "METRICS_PORT": port}
        start(role, DATABASE_URL=dsn, REDIS_URL=redis_url, **given)

        def metrics(url: str = f"http://127.0.0.1:{port}/metrics") -> Any:
            try:
                with urlopen(url, timeout=LIMIT_S) as answer:
                    return answer.read().decode()
            except OSError:
                return None

        shown = wait_for(metrics)
        for series in (
            "log_lines_pushed_total 0.0",
            'log_lines_dropped_total{reason="full"} 0.0',
            'log_lines_dropped_total{reason="refused"} 0.0',
            "log_push_failures_total 0.0",
        ):
            assert f"\n{series}\n" in shown, (role, series)
