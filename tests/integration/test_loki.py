"""Lines on their way to a Loki that takes, refuses, fails, hangs, drips or is not there."""

import base64
import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import pytest
from loguru import logger
from prometheus_client import CollectorRegistry

from service.logs import logs
from service.logs.backlog import Backlog
from service.logs.loki import Endpoint, Loki, NoAnswer
from service.metrics import LogMetrics
from tests.loki import DRIP, HANG, FakeLoki, fake_loki
from tests.resolver import Resolver
from tests.waiting import wait_for

Push = Callable[..., Loki]


@pytest.fixture
def server() -> Iterator[FakeLoki]:
    """Run a Loki that takes everything."""
    with fake_loki() as server:
        yield server


@pytest.fixture
def registry() -> CollectorRegistry:
    """Collect this test's metrics."""
    return CollectorRegistry()


@pytest.fixture
def push(registry: CollectorRegistry, logs_restored: None) -> Push:
    """Send this process's logs to a URL."""

    def push(url: str, **settings: Any) -> Loki:
        quick = {"linger_s": 0.01, "backoff_min_s": 0.02}
        loki = Loki(url, LogMetrics(registry), **(quick | settings))
        logs.set_up("worker", style="json", push=loki)
        return loki

    return push


@pytest.fixture
def counted(registry: CollectorRegistry) -> Callable[..., float]:
    """Read a counter."""

    def counted(name: str, **labels: str) -> float:
        value = registry.get_sample_value(name, labels)
        assert value is not None, name
        return value

    return counted


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a push wait for its answer as long as it takes: whoever waits for the push, hangs."""
    monkeypatch.setattr("service.logs.loki.TIMEOUT_S", 3600.0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def log_sent(count: int, event: str = "sent") -> list[str]:
    """Log one line for each of so many ids, in batches of ten; returns the ids."""
    ids = [f"{event}-{n}" for n in range(count)]
    for start in range(0, count, 10):
        batch = ids[start : start + 10]
        logs.transitions(event, ({"notification_id": id, "attempt": 1} for id in batch))
    return ids


def arrived(server: FakeLoki) -> list[str]:
    """Read the ids that Loki has, in its order."""
    ids = [pushed.fields.get("notification_id") for pushed in server.taken]
    return [id for id in ids if id]


def test_a_push_is_what_loki_asks_for(server: FakeLoki, push: Push, counted) -> None:
    push(server.url)
    before = time.time_ns()
    ids = log_sent(3)
    logger.warning("odd", text="two\nlines")
    wait_for(lambda: len(server.taken) == 4)

    path, headers, document = server.requests[0]
    assert path == "/loki/api/v1/push"
    assert headers["content-type"] == "application/json"
    assert headers["content-encoding"] == "gzip"
    assert "authorization" not in headers
    assert set(document) == {"streams"}
    assert all(
        isinstance(ns, str) and ns.isdecimal()
        for stream in document["streams"]
        for ns, _ in stream["values"]
    )
    assert arrived(server) == ids
    for pushed in server.taken:
        assert set(pushed.labels) == {"app", "role", "level"}
        assert before - 1_000_000 <= pushed.ns <= time.time_ns()
    assert [pushed.labels["level"] for pushed in server.taken] == ["info"] * 3 + ["warning"]
    assert server.taken[-1].fields["text"] == "two\nlines"
    wait_for(lambda: counted("log_lines_pushed_total") == 4)


def test_what_loki_has_is_what_standard_error_says(server: FakeLoki, push: Push, capsys) -> None:
    push(server.url)
    log_sent(25)
    wait_for(lambda: len(server.taken) == 25)
    assert [pushed.line for pushed in server.taken] == capsys.readouterr().err.splitlines()


def test_a_password_in_the_url_is_sent_and_never_shown(push: Push, capsys) -> None:
    with fake_loki() as server:
        push(server.url.replace("//", "//us%40er:s3cret@"))
        log_sent(1)
        wait_for(lambda: server.requests)
        credentials = server.requests[0][1]["authorization"].removeprefix("Basic ")
        assert base64.b64decode(credentials).decode() == "us@er:s3cret"
        server.answer = 500
        log_sent(1, "again")
        wait_for(lambda: 500 in server.statuses)
    assert "s3cret" not in capsys.readouterr().err


def test_a_query_of_the_url_is_sent_and_not_shown(server: FakeLoki, push: Push) -> None:
    loki = push(f"{server.url}/tenant?token=only-ours")
    log_sent(1)
    wait_for(lambda: server.requests)
    assert server.requests[0][0] == "/tenant/loki/api/v1/push?token=only-ours"
    loki.endpoint.answer[:] = b"no such tenant: token=only-ours"
    assert loki.endpoint.shown_answer() == "no such …: …"


@pytest.mark.parametrize("path", ["", "/", "/tenant", "/loki/api/v1/push"])
def test_a_path_of_the_url_is_kept_in_front(server: FakeLoki, push: Push, path: str) -> None:
    push(server.url + path)
    log_sent(1)
    wait_for(lambda: server.requests)
    prefix = "/tenant" if path == "/tenant" else ""
    assert server.requests[0][0] == f"{prefix}/loki/api/v1/push"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_nothing_is_lost_while_loki_refuses_for_now_and_it_is_logged_once(
    server: FakeLoki, push: Push, counted, capsys, status: int
) -> None:
    server.answer = status
    push(server.url)
    ids = log_sent(100)
    wait_for(lambda: len(server.statuses) >= 3)
    ids += log_sent(100, "later")
    server.answer = 204
    wait_for(lambda: len(arrived(server)) >= 200)

    assert sorted(arrived(server)) == sorted(ids)
    assert counted("log_push_failures_total") >= 3
    assert counted("log_lines_dropped_total", reason="full") == 0
    assert counted("log_lines_dropped_total", reason="refused") == 0
    wait_for(lambda: "away_s" in server.taken[-1].line)
    printed = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    outage = [
        (line["event"], line["what"]) for line in printed if line["event"] in ("away", "back")
    ]
    assert outage == [("away", "loki"), ("back", "loki")]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "wait_s"),
    [
        ("7", 7), ("0", 0), ("-5", 0), ("86400", 300), ("9" * 30, 0), ("soon", 0), ("", 0),
        (+100, 100), (-100, 0), (+1e6, 300),  # a date, so far from now
    ],
)  # fmt: skip
def test_the_wait_that_loki_asks_for_is_kept_and_bounded(
    server: FakeLoki, status: int, asked: str | float, wait_s: float
) -> None:
    if not isinstance(asked, str):
        asked = formatdate(time.time() + asked, usegmt=True)
    server.answer, server.retry_after = status, asked
    with pytest.raises(NoAnswer) as caught:
        Endpoint(server.url).post(gzip.compress(b"{}"), 5.0)
    assert wait_s - 60 <= caught.value.asked_s <= wait_s


def test_a_loki_that_asks_to_wait_is_left_alone_while_the_oldest_lines_make_room(
    server: FakeLoki, push: Push, counted
) -> None:
    server.answer, server.retry_after = 429, "200"
    loki = push(server.url, backlog=Backlog(lines_max=100))
    log_sent(10, "first")
    wait_for(lambda: counted("log_push_failures_total") == 1)
    server.answer = 204
    log_sent(500)
    assert loki.backlog.lines == 100
    assert len(server.statuses) == 1
    logger.remove()  # the end waits for nothing
    assert not loki.thread.is_alive()


@pytest.mark.parametrize("status", [400, 401, 413])
def test_what_loki_refuses_for_good_is_counted_and_not_sent_again(
    server: FakeLoki, push: Push, counted, status: int
) -> None:
    server.answer = status
    push(server.url)
    log_sent(10)
    wait_for(lambda: counted("log_lines_dropped_total", reason="refused") >= 10)
    server.answer = 204
    ids = log_sent(10, "later")
    wait_for(lambda: len(arrived(server)) >= 10)
    assert arrived(server) == ids
    assert counted("log_push_failures_total") == 0


def test_lines_wait_for_a_loki_that_starts_later(push: Push, counted) -> None:
    port = free_port()
    push(f"http://127.0.0.1:{port}")
    ids = log_sent(30)
    wait_for(lambda: counted("log_push_failures_total") >= 2)
    with fake_loki(port) as server:
        wait_for(lambda: len(arrived(server)) >= 30)
        assert arrived(server) == ids


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("way", [HANG, DRIP])
def test_a_hanging_loki_delays_nobody_and_the_oldest_lines_make_room(
    server: FakeLoki, push: Push, counted, capsys, way: int
) -> None:
    server.answer = way
    loki = push(server.url, backlog=Backlog(lines_max=100))
    log_sent(10, "first")
    wait_for(lambda: server.requests)
    ids = log_sent(5000)
    assert loki.backlog.lines == 100
    dropped = counted("log_lines_dropped_total", reason="full")
    assert dropped == 4900
    waiting = b"".join(chunk.lines for chunk in loki.backlog.chunks).splitlines()
    assert [json.loads(line)["notification_id"] for line in waiting] == ids[-100:]

    logger.remove()
    last = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert last["event"] == "log_lines_not_pushed"
    assert last["count"] >= 100


def test_what_hung_is_pushed_again_when_loki_answers(
    server: FakeLoki, push: Push, counted, monkeypatch
) -> None:
    monkeypatch.setattr("service.logs.loki.TIMEOUT_S", 0.2)
    server.answer = HANG
    push(server.url)
    ids = log_sent(30)
    wait_for(lambda: counted("log_push_failures_total") >= 1)
    server.answer = 204
    wait_for(lambda: len(arrived(server)) >= 30)
    assert arrived(server) == ids


def test_at_the_end_what_waits_is_pushed(server: FakeLoki, push: Push) -> None:
    push(server.url, linger_s=3600)
    ids = log_sent(2500)
    logger.remove()
    assert arrived(server) == ids


def test_the_end_waits_for_no_loki_that_is_gone(push: Push, capsys) -> None:
    push(f"http://127.0.0.1:{free_port()}", linger_s=3600)
    log_sent(10)
    logger.remove()
    last = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (last["event"], last["count"]) == ("log_lines_not_pushed", 10)


def test_the_end_interrupts_a_long_backoff(push: Push, counted) -> None:
    loki = push(f"http://127.0.0.1:{free_port()}", backoff_min_s=3600)
    log_sent(10)
    wait_for(lambda: counted("log_push_failures_total") == 1)
    logger.remove()
    assert not loki.thread.is_alive()


def test_setting_the_logs_up_again_ends_the_push(server: FakeLoki, push: Push) -> None:
    loki = push(server.url)
    logs.set_up("worker", style="json")
    wait_for(lambda: not loki.thread.is_alive())


def test_a_name_that_nobody_answers_for_delays_no_end(
    push: Push, counted: Callable[..., float], resolver: Resolver
) -> None:
    loki = push("http://loki.dead.test:3100")
    logger.info("sent")
    wait_for(lambda: resolver.asked["loki.dead.test"])
    began = time.monotonic()
    loki.stop()
    assert time.monotonic() - began < 30  # its name hangs for a minute
    assert counted("log_lines_pushed_total") == 0


def test_lines_arrive_once_the_name_is_known(
    push: Push, server: FakeLoki, resolver: Resolver
) -> None:
    push(server.url.replace("127.0.0.1", "loki.dead.test"))
    logger.info("sent")
    wait_for(lambda: resolver.asked["loki.dead.test"])
    resolver.release.set()
    wait_for(lambda: server.taken)
