"""A worker in this process, against real PostgreSQL, Valkey, HTTP and SMTP."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from service.config.settings import Settings
from service.metrics import WorkerMetrics
from service.names.guard import LOOPBACK
from tests.integration.workers.sink import Sink
from workers.runner import Worker

Start = Callable[..., Worker]


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Listen for webhooks."""
    sink = Sink()
    yield sink
    sink.hold.set()
    sink.close()


@pytest.fixture
def registry() -> CollectorRegistry:
    """Collect this test's metrics."""
    return CollectorRegistry()


@pytest.fixture
def value(registry: CollectorRegistry) -> Callable[..., float | None]:
    """Read a metric of this test by its name and labels; None: nobody has touched it."""
    return lambda name, **labels: registry.get_sample_value(name, labels)


@pytest.fixture
def build(dsn: str, registry: CollectorRegistry) -> Iterator[Callable[..., Worker]]:
    """Build a worker with quick retries and without Redis; a test may choose any setting."""
    built: list[Worker] = []

    def build(**chosen: Any) -> Worker:
        quick: dict[str, Any] = {
            "database_url": dsn,
            "webhook_allow": LOOPBACK,
            "retry_schedule": (0.05,),
            "shutdown_grace_s": 5.0,
            "send_deadline_s": 20.0,  # so that a busy machine's late answers change nothing
            "lease_s": 60.0,
        }
        built.append(Worker(Settings(**(quick | chosen)), WorkerMetrics(registry)))
        return built[-1]

    yield build
    for worker in built:
        for sender in worker._senders:
            if sender.ident is None:  # never started: it did not close what it has
                sender._transfers.close()


@pytest.fixture
def start(build: Callable[..., Worker]) -> Iterator[Start]:
    """Build and start workers; all are stopped in the end, unless the test did so."""
    started: list[Worker] = []

    def start(**chosen: Any) -> Worker:
        worker = build(**chosen)
        worker.start()
        started.append(worker)
        return worker

    yield start
    for worker in started:
        if worker.alive:
            worker.stop()
