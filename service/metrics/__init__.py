"""The metrics, a class per role: a process shows those of the roles that run in it.

Labels are few and bounded (channel, outcome); never an id, a recipient or a URL. Every combination
of their values exists from the start, so that rates begin at 0.
"""

from service.metrics.api import ApiMetrics
from service.metrics.dispatcher import JOBS, DispatcherMetrics
from service.metrics.factory import DURATIONS_S, Reading
from service.metrics.log_lines import LogMetrics
from service.metrics.process import ProcessMetrics
from service.metrics.spans import SpanMetrics
from service.metrics.worker import WorkerMetrics
from service.metrics.worker_processes import WorkerProcessesMetrics

__all__ = [
    "DURATIONS_S",
    "JOBS",
    "ApiMetrics",
    "DispatcherMetrics",
    "LogMetrics",
    "ProcessMetrics",
    "Reading",
    "SpanMetrics",
    "WorkerMetrics",
    "WorkerProcessesMetrics",
]
