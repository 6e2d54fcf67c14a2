"""How long requests take, by route and status."""

from collections.abc import Awaitable, Callable
from functools import wraps
from time import perf_counter

from aiohttp import web
from prometheus_client import Histogram

from service.metrics import ApiMetrics

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Measured:
    """Wraps the handlers of routes: aiohttp's middlewares cost each request about 5 %."""

    def __init__(self, metrics: ApiMetrics) -> None:
        self._seconds = metrics.request_seconds
        self.in_progress = 0  # a number of ours is cheaper than a gauge, which takes a lock
        metrics.requests_in_progress.set_function(lambda: self.in_progress)

    def route(self, template: str, handler: Handler, *statuses: int) -> Handler:
        """Measure a handler under this name; `statuses`: see observer()."""
        observe = self.observer(template, *statuses)

        @wraps(handler)
        async def measured(request: web.Request) -> web.StreamResponse:
            began = perf_counter()
            self.in_progress += 1
            try:
                response = await handler(request)
            except web.HTTPException as error:
                observe(error.status, began)
                raise
            finally:
                self.in_progress -= 1
            observe(response.status, began)
            return response

        return measured

    def observer(self, template: str, *statuses: int) -> Callable[[int, float], None]:
        """Return what notes an answer: its status, and when the request began by perf_counter().

        `statuses` appear in /metrics from the start, as 0.
        """
        by_status: dict[int, Histogram] = {
            status: self._seconds.labels(template, status) for status in statuses
        }

        def observe(status: int, began: float) -> None:
            seconds = by_status.get(status)
            if seconds is None:
                seconds = by_status[status] = self._seconds.labels(template, status)
            seconds.observe(perf_counter() - began)

        return observe
