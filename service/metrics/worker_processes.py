"""How many processes a worker has."""

from collections.abc import Callable

from prometheus_client import REGISTRY, CollectorRegistry

from service.metrics.factory import MetricFactory


class WorkerProcessesMetrics:
    """What the parent of several worker processes shows besides their sums.

    Its restarts are notify_task_restarts_total{task="worker"}.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        factory = MetricFactory(registry)
        self._wanted = factory.gauge(
            "worker_processes_wanted", "Processes that this worker should have: WORKER_PROCESSES."
        )
        self._alive = factory.gauge("worker_processes", "Of those, the ones that run.")

    def show(self, wanted: int, alive: Callable[[], int]) -> None:
        """Show them from now on."""
        self._wanted.set(wanted)
        self._alive.set_function(alive)
