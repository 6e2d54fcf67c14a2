"""What GET /metrics answers. Anybody may ask, and to write a large page holds up the event loop."""

from collections.abc import Awaitable, Callable
from time import monotonic

from aiohttp import web
from prometheus_async.aio.web import server_stats

# A page is kept for this many times what it took to write, so that pages take a tenth of the time.
# A whole second for each would blur what load/bench measures.
KEPT_TIMES = 10
KEPT_MAX_S = 1.0
OPENMETRICS = "application/openmetrics-text"

Write = Callable[[web.Request], Awaitable[web.Response]]


class MetricsPage:
    """One page for all who ask soon after each other: one of 120 KB takes 33 ms to write."""

    def __init__(
        self, write: Write = server_stats, *, now: Callable[[], float] = monotonic
    ) -> None:
        """`write`: writes a new page, in OpenMetrics for those who take that."""
        self._write = write
        self._now = now
        self._kept: dict[bool, tuple[float, bytes, str]] = {}  # until when, page, Content-Type

    async def show(self, request: web.Request) -> web.Response:
        """Answer a request."""
        key = takes_openmetrics(request.headers.get("Accept", ""))
        began = self._now()
        if key not in self._kept or began >= self._kept[key][0]:
            written = await self._write(request)
            assert isinstance(written.body, bytes)
            ended = self._now()
            until = ended + min(KEPT_TIMES * (ended - began), KEPT_MAX_S)
            self._kept[key] = until, written.body, written.headers["Content-Type"]
        _, body, content_type = self._kept[key]
        return web.Response(body=body, headers={"Content-Type": content_type})


def takes_openmetrics(accept: str) -> bool:
    """Return whether server_stats() writes OpenMetrics for this Accept header."""
    return any(part.split(";")[0].strip() == OPENMETRICS for part in accept.split(","))
