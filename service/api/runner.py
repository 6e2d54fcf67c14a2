"""The application as it is served: with its limits, and its check of callers."""

import logging
from functools import partial

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from service.api.app import EXPRESS
from service.config.settings import Settings
from service.http.callers import Callers, protected
from service.http.connections import Limits
from service.http.express import is_tried
from service.http.runner import BoundedRunner
from service.metrics import ApiMetrics
from service.process.descriptors import connections_max


def create_runner(
    app: web.Application,
    settings: Settings,
    metrics: ApiMetrics,
    *,
    shutdown_timeout_s: float,
    limits: Limits | None = None,
) -> web.AppRunner:
    """Wrap the application with its limits and its check of callers.

    There is no access log, and no traceback for a broken request.
    """
    callers = Callers(settings.host, settings.allowed_hosts)

    def count(code: str) -> None:
        metrics.requests_refused.labels(code).inc()

    return BoundedRunner(
        app,
        limits=limits or Limits(connections_max=connections_max(settings.connections_max)),
        around=lambda handler: protected(handler, callers.fault, count),
        express=partial(app[EXPRESS].takes, callers.fault_of) if is_tried() else None,
        open_gauge=metrics.connections,
        refused_counter=metrics.connections_refused,
        access_log=None,
        logger=http_logger(),
        shutdown_timeout=shutdown_timeout_s,
    )


def http_logger() -> logging.Logger:
    """Return aiohttp's logger without the clients' mistakes: they are answered with 400."""
    http = logging.getLogger("notify.http")
    http.addFilter(is_our_fault)
    return http


def is_our_fault(record: logging.LogRecord) -> bool:
    """Return whether a record is about something else than a client that does not speak HTTP."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | web.RequestPayloadError)
