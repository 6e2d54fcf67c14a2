"""What every process shows."""

from collections.abc import Callable

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.ledger.schema import current_migration
from service.metrics.dispatcher import JOBS
from service.metrics.factory import MetricFactory
from service.model.server import PoolStats
from service.process.distribution import installed_version

TASKS = ("leader", "dispatch", "redis", "home", *JOBS, "metrics", "keys", "worker")


class ProcessMetrics(Collector):
    """What every process shows: its build, and its pools, which are read at each scrape."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        factory = MetricFactory(registry)
        self._pools: dict[str, Callable[[], PoolStats]] = {}
        build = factory.gauge(
            "notify_build_info",
            "1. version: of the package; schema: the migration that this build needs.",
            version=[installed_version()],
            schema=[current_migration()],
        )
        build.labels(installed_version(), current_migration()).set(1)
        self._restarts = factory.counter(
            "notify_task_restarts_total",
            "Tasks that must not end, and did: they began again. 0 without bugs; the log says why.",
            task=TASKS,
        )
        registry.register(self)

    def restarted(self, task: str) -> None:
        """Count that a task ended and begins again."""
        self._restarts.labels(task).inc()

    def show(self, pool: str, stats: Callable[[], PoolStats]) -> None:
        """Show a pool from now on."""
        self._pools[pool] = stats

    def describe(self) -> list[Metric]:
        """Name what collect() returns, so that registering reads no pool."""
        return list(pool_families())

    def collect(self) -> list[Metric]:
        """Read the pools: memory only, no SQL."""
        connections, waiting, waited, timeouts = families = pool_families()
        for pool, read in list(self._pools.items()):
            stats = read()
            connections.add_metric([pool, "idle"], stats.idle)
            connections.add_metric([pool, "used"], stats.used)
            waiting.add_metric([pool], stats.waiting)
            waited.add_metric([pool], stats.waited_s)
            timeouts.add_metric([pool], stats.timeouts)
        return list(families)


def pool_families() -> tuple[
    GaugeMetricFamily, GaugeMetricFamily, CounterMetricFamily, CounterMetricFamily
]:
    """Make the metrics of pools, without samples."""
    return (
        GaugeMetricFamily(
            "db_pool_connections",
            "Connections to PostgreSQL: idle in the pool, or used (lent out, or being opened).",
            labels=["pool", "state"],
        ),
        GaugeMetricFamily(
            "db_pool_requests_waiting",
            "Calls that wait for a connection at this moment.",
            labels=["pool"],
        ),
        CounterMetricFamily(
            "db_pool_wait_seconds_total",
            "Time that calls have waited for a connection.",
            labels=["pool"],
        ),
        CounterMetricFamily(
            "db_pool_timeouts_total",
            "Calls that got no connection: after 2 s, or because too many waited already.",
            labels=["pool"],
        ),
    )
