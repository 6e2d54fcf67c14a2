"""Run an application of aiohttp on a server whose connections are bounded, and so are its heads."""

from collections.abc import Callable
from typing import Any

from aiohttp import web
from prometheus_client import Counter, Gauge

from service.http.connections import BoundedServer, Handler, Limits
from service.http.express import Express

LINE_BYTES_MAX = 4096
FIELD_BYTES_MAX = 8190
FIELDS_MAX = 100
LINGER_S = 1.0  # to read the rest of a body that nobody wants


class BoundedRunner(web.AppRunner):
    """Runs an application on a bounded server, which never decompresses a body."""

    def __init__(
        self,
        app: web.Application,
        *,
        limits: Limits,
        around: Callable[[Handler], Handler],
        open_gauge: Gauge | None = None,
        refused_counter: Counter | None = None,
        express: Express | None = None,
        **settings: Any,
    ) -> None:
        """Prepare. `around` wraps the handler of every request that is no `express` one."""
        super().__init__(app, **settings)
        self._limits = limits
        self._around = around
        self._open_gauge = open_gauge
        self._refused_counter = refused_counter
        self._express = express

    async def _make_server(self) -> web.Server:
        """Put our server around the application's handler."""
        inner = await super()._make_server()
        return BoundedServer(
            self._around(inner.request_handler),
            limits=self._limits,
            open_gauge=self._open_gauge,
            refused_counter=self._refused_counter,
            express=self._express,
            request_factory=inner.request_factory,
            keepalive_timeout=self._limits.idle_s,
            lingering_time=LINGER_S,
            max_line_size=LINE_BYTES_MAX,
            max_field_size=FIELD_BYTES_MAX,
            max_headers=FIELDS_MAX,
            auto_decompress=False,
            **self._kwargs,
        )
