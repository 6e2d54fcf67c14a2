"""A worker of a sandbox: what it sends to anybody arrives in the inbox, and nowhere else."""

import json
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from service.cli.sandbox import for_its_worker
from service.config.settings import Settings
from service.metrics import WorkerMetrics
from tests import ledger
from tests.resolver import REAL
from tests.waiting import wait_for
from workers.http_handle import HttpHandle
from workers.runner import Worker

RECIPIENTS = [
    "https://example.org/status/200/X-A=1?b=2",
    "https://no-such-name.invalid:8443/status/200",
    "http://10.1.2.3/status/200",
    "http://169.254.169.254/status/200",
    "http://[2001:db8::1]/status/200",
    "http://localhost:1/status/200",
    "http://user:secret@example.com/status/200",
]


@pytest.fixture
def left(monkeypatch) -> list[Any]:
    """Note each name that is looked up, and each address that libcurl is about to connect."""
    noted: list[Any] = []
    opened = HttpHandle._open

    def look_up(host, port, *args, **kwargs):
        noted.append(host)
        return REAL(host, port, *args, **kwargs)

    def connect(self, purpose, address):
        noted.append(tuple(address.addr[:2]))
        return opened(self, purpose, address)

    monkeypatch.setattr("socket.getaddrinfo", look_up)
    monkeypatch.setattr(HttpHandle, "_open", connect)
    return noted


@pytest.fixture
def work(dsn, sink):
    """Start a worker whose inbox is the sink; `sandbox` None: it leads nothing there."""
    started = []

    def work(sandbox: str | None) -> None:
        port = urlsplit(sink.url).port or 0
        settings = Settings(database_url=dsn, retry_schedule=(0.05,), max_retries=0)
        metrics = WorkerMetrics(CollectorRegistry())
        started.append(Worker(for_its_worker(settings, port), metrics, sandbox))
        started[-1].start()

    yield work
    for worker in started:
        worker.stop()


def enqueued(db, recipient: str, channel: str = "webhook") -> UUID:
    return ledger.enqueue(db, channel=channel, recipient=recipient, payload='{"n": 1}')[0]


def settled(db, ids) -> list[tuple[str, str]]:
    wait_for(lambda: all(ledger.row(db, id_).settled_at for id_ in ids))
    rows = [ledger.row(db, id_) for id_ in ids]
    return [(row.status, row.last_error_code) for row in rows]


def test_webhooks_to_anybody_reach_the_inbox_and_nothing_leaves_the_machine(db, sink, left, work):
    work(sink.url)
    ids = [enqueued(db, recipient) for recipient in RECIPIENTS]
    assert settled(db, ids) == [("sent", None)] * len(RECIPIENTS)
    by_id = {request.headers["webhook-id"]: request for request in sink.requests}
    assert by_id.keys() == {str(id_) for id_ in ids}
    for id_, recipient in zip(ids, RECIPIENTS, strict=True):
        request, url = by_id[str(id_)], urlsplit(recipient)
        assert request.path == url.path + (f"?{url.query}" if url.query else "")
        assert request.headers["host"] == url.netloc.rpartition("@")[2]
        assert json.loads(request.body) == {"n": 1}
    assert by_id[str(ids[-1])].headers["authorization"].startswith("Basic ")
    assert set(left) <= {("127.0.0.1", urlsplit(sink.url).port)}


def test_a_line_of_log_reaches_the_inbox(db, sink, left, work):
    work(sink.url)
    id_ = enqueued(db, "somebody", channel="log")
    # The sink has no such path and hangs up, so that it has no end: that it came is enough.
    wait_for(lambda: sink.requests)
    assert sink.requests[0].headers["webhook-id"] == str(id_)
    assert sink.requests[0].path == "/log"


def test_a_worker_that_led_nothing_there_could_not_send_elsewhere_either(db, sink, left, work):
    """The second fuse: its guard."""
    work(None)
    ids = [enqueued(db, recipient) for recipient in RECIPIENTS]
    assert settled(db, ids) == [("failed", "address_not_allowed")] * len(ids)
    assert left == []
    assert not sink.requests
