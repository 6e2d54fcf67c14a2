import pytest
from prometheus_client import CollectorRegistry

from service.errors import DatabaseAway
from service.metrics import WorkerMetrics
from tests.waiting import wait_for
from workers.loop import Loop


class Stumbling(Loop):
    """Raises in its first turns, then works."""

    def __init__(self, errors, registry):
        super().__init__("stumbling-0", WorkerMetrics(registry))
        self.errors = errors
        self.worked = self.closed = False

    def turn(self):
        if self.errors:
            raise self.errors.pop()
        self.worked = True
        self._stopping.wait(0.01)

    def close(self):
        self.closed = True


@pytest.mark.parametrize("error", [ZeroDivisionError(), DatabaseAway("gone")])
def test_a_thread_survives_what_its_turn_raises_and_ends_when_told(error):
    registry = CollectorRegistry()
    loop = Stumbling([error, error], registry)
    loop.start()
    wait_for(lambda: loop.worked)
    loop.stop()
    loop.join()
    assert loop.closed
    counted = registry.get_sample_value("worker_loop_errors_total", {"thread": "stumbling"})
    assert counted == (2 if isinstance(error, ZeroDivisionError) else None)
