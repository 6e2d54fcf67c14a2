"""What is full? Slots, connections, queues, CPU and memory."""

from ops.dashboards.board import line, row
from ops.dashboards.looks import GREEN, NO_FIGURES, ORANGE, Looks, calm_until
from ops.dashboards.panels import bars, lines
from ops.dashboards.queries import prom, rate
from service.dispatch.offers import WINDOW_MAX

ROW = row(
    "What is full?",
    line(
        7,
        bars(
            "How full?",
            "Each of what can run out, as a share of its limit, now. Red: that one is the "
            "bottleneck. Slots: add workers or SENDS_PER_THREAD. Connections: calls wait "
            "for PostgreSQL. NOTIFY queue: a listener is stuck. "
            "ops/RUNBOOK.md#oldestduetooold",
            Looks(
                unit="percentunit", empty=NO_FIGURES, steps=calm_until(0.7, 0.9), top=1, decimals=0
            ),
            prom("sum(worker_sends_in_flight) / sum(worker_slots)", "Slots of workers", now=True),
            prom(
                'sum by (pool) (db_pool_connections{state="used"})'
                " / sum by (pool) (db_pool_connections)",
                "Connections {{pool}}",
                now=True,
            ),
            prom("max(db_notify_queue_usage_ratio)", "NOTIFY queue", now=True),
            prom(
                "max(dispatcher_redis_memory_bytes) / (max(dispatcher_redis_memory_max_bytes) > 0)",
                "Memory of Redis",
                now=True,
            ),
            prom(f"max(dispatcher_ready_set_depth) / {WINDOW_MAX}", "Fullest lane", now=True),
        ),
        lines(
            "Slots in use",
            "Sends in flight, of all workers' slots. Full for long: receivers are slow, or "
            "there are too few workers.",
            Looks(
                unit="percentunit", empty="No worker is scraped", steps=calm_until(0.7, 0.9), top=1
            ),
            prom(
                "sum by (instance) (worker_sends_in_flight) / sum by (instance) (worker_slots)",
                "{{instance}}",
            ),
        ),
        lines(
            "CPU",
            "Cores in use, by role. An API or dispatcher near 1 is full: it has one thread.",
            Looks(unit="short", empty=NO_FIGURES, steps=[(None, GREEN), (1, ORANGE)]),
            rate(
                'process_cpu_seconds_total{job="notify"}',
                "{{role}} {{instance}}",
                by="role, instance",
            ),
        ),
        lines(
            "Memory",
            "Resident memory, by process. It is level under level load; a line that only "
            "rises is a leak: restart that process, and file it.",
            Looks(unit="bytes", empty=NO_FIGURES),
            prom(
                'sum by (role, instance) (process_resident_memory_bytes{job="notify"})',
                "{{role}} {{instance}}",
            ),
        ),
    ),
)
