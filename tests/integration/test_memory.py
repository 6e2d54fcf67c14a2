"""Every loop of ours gives back what it took: 10,000 turns of each."""

import asyncio
import gzip
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from loguru import logger
from msgspec import Raw
from prometheus_client import CollectorRegistry

from service.api.batcher import Batcher
from service.api.body import NewNotification
from service.config.settings import Settings
from service.ledger.enqueue_store import EnqueueStore
from service.logs import logs
from service.logs.loki import Loki
from service.metrics import ApiMetrics, LogMetrics, WorkerMetrics
from service.model.words import Channel
from service.names.guard import LOOPBACK
from tests.integration.dispatch.driving import Driven
from tests.memory import holds_flat
from workers.runner import Worker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROW = b'{"channel":"log","recipient":"r","payload":{"n":1}}'


class Silent:
    """A Loki that takes everything, without a network."""

    def post(self, body: bytes, timeout_s: float) -> None:
        assert gzip.decompress(body)


@pytest.fixture
def registry() -> CollectorRegistry:
    """Collect this test's metrics."""
    return CollectorRegistry()


@pytest.fixture
def pushed(
    monkeypatch: pytest.MonkeyPatch, registry: CollectorRegistry, logs_restored: None
) -> Loki:
    """Log as a process does whose lines go to Loki; the test pushes them itself."""
    monkeypatch.setattr(Loki, "run", lambda self: None)
    loki = Loki("http://127.0.0.1:1", LogMetrics(registry))
    monkeypatch.setattr(loki, "endpoint", Silent())
    logs.set_up("api", style="json", push=loki)
    return loki


def test_log_lines_and_their_push(pushed: Loki, capfdbinary: Any) -> None:
    def turn() -> None:
        logs.transitions("sent", ({"notification_id": n, "code": None} for n in range(3)))
        logger.info("settled", count=1)
        pushed.push_all()

    holds_flat(turn)
    assert pushed.backlog.lines == 0


def test_a_batch_of_the_api(
    dsn: str, registry: CollectorRegistry, pushed: Loki, capfdbinary: Any
) -> None:
    notification = NewNotification(channel=Channel.LOG, recipient="r", payload=Raw(b'{"n":1}'))
    with asyncio.Runner() as runner:

        async def begin() -> tuple[EnqueueStore, Batcher]:
            store = await EnqueueStore(dsn, "notify-api", connections_max=1).__aenter__()
            return store, Batcher(store, ApiMetrics(registry))

        async def post() -> None:
            await asyncio.gather(*[batcher.submit(ROW, notification) for _ in range(2)])

        def turn() -> None:
            runner.run(post())
            pushed.push_all()

        store, batcher = runner.run(begin())
        try:
            holds_flat(turn)
        finally:
            runner.run(batcher.close())
            runner.run(store.__aexit__(None, None, None))


def test_a_claim_and_its_settle(
    dsn: str, registry: CollectorRegistry, pushed: Loki, capfdbinary: Any
) -> None:
    worker = Worker(
        Settings(webhook_allow=LOOPBACK, database_url=dsn, num_threads=1), WorkerMetrics(registry)
    )
    with psycopg.connect(dsn, autocommit=True) as db, ExitStack() as ends:
        for thread in worker._threads:
            ends.callback(thread.close)

        def turn() -> None:
            db.execute(
                "insert into notify.notifications (channel, recipient, payload)"
                " values ('log', 'r', '{}')"
            )
            worker._claimer.turn()
            worker._senders[0].turn()
            worker._settler.turn()
            pushed.push_all()

        holds_flat(turn)
        left = "select count(*) from notify.notifications where status <> 'sent'"
        assert db.execute(left).fetchone() == (0,)


def test_a_look_of_the_dispatcher(dsn: str, redis_url: str) -> None:
    with Driven(dsn, redis_url) as driven, psycopg.connect(dsn, autocommit=True) as db:
        db.execute(
            "insert into notify.notifications (channel, recipient, payload)"
            " select 'log', 'r', '{}' from generate_series(1, 10)"
        )
        holds_flat(driven.offer)
