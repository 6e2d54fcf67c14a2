"""The HTTP half of the inbox: takes any request, checks its signature, answers as its path asks."""

import asyncio
import hmac
import logging
import re
import time
from collections.abc import Mapping, Sequence

from aiohttp import web

from service.http.callers import encoded, protected
from service.http.connections import Limits
from service.http.runner import BoundedRunner
from service.inbox.arrivals import Arrival, Arrivals
from service.inbox.asked import ArrivalsHandler
from service.inbox.lines import Line, Lines
from service.process.descriptors import share
from service.signature import key, signature

BODY_MAX_BYTES = 1_048_576
CONNECTIONS_MAX = 512
DELAY_MAX_S = 60.0
TOLERANCE_S = 300.0
STOP_MAX_S = 1.0
STATUS = re.compile(r"/status/([2-5]\d\d)(?=/|$)")
SLOW = re.compile(r"/slow/(\d{1,4}(?:\.\d{1,3})?)(?=/|$)")
# For somebody who opens the webhooks' URL in a browser.
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>notify inbox</title>
<style>body { font: 1rem/1.5 sans-serif; max-width: 40rem; margin: 3rem auto }</style>
<h1>The inbox</h1>
<p>It takes any webhook at any path, and any mail, and prints a line for each in the terminal
that it runs in. A path or an address may ask for another answer than yes:</p>
<ul>
<li><code>/status/503</code>: that status, from 200 to 599</li>
<li><code>/slow/2.5</code>: an answer after so many seconds, up to 60; both:
<code>/slow/2.5/status/503</code></li>
<li><code>550@example.org</code>: mail to it is refused with that code, from 400 to 599</li>
</ul>
<p>For tests, <a href="/arrivals"><code>GET /arrivals</code></a> gives what arrived as JSON:
<code>/arrivals?reference=order-42&amp;wait=5</code></p>
"""


class HttpInbox:
    """The server; any path, any method, but GET /arrivals."""

    def __init__(self, lines: Lines, arrivals: Arrivals, secrets: Sequence[str]) -> None:
        self._lines = lines
        self._arrivals = arrivals
        self._keys = [key(secret) for secret in secrets]
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen, and give the port. Raises OSError."""
        app = web.Application(client_max_size=BODY_MAX_BYTES)
        app.router.add_get("/arrivals", ArrivalsHandler(self._arrivals, host).get)
        app.router.add_route("*", "/{path:.*}", self._catch)
        # aiohttp answers 400 to what is not HTTP, and would log a traceback as well.
        silent = logging.Logger("inbox", level=logging.CRITICAL)
        self._runner = BoundedRunner(
            app,
            limits=Limits(connections_max=share("inbox_http", CONNECTIONS_MAX)),
            around=lambda handler: protected(handler, lambda request: encoded(request.headers)),
            access_log=None,
            logger=silent,
            shutdown_timeout=STOP_MAX_S,
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening; requests that are open get a second."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _catch(self, request: web.Request) -> web.Response:
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            self._show(request, b"", f"REFUSED: over {BODY_MAX_BYTES} bytes")
            raise
        signed = verdict(request.headers, body, self._keys, time.time())
        status, delay_s = steer(request.path)
        self._keep(request, body, signed, status)
        self._show(request, body, signed)
        await asyncio.sleep(delay_s)
        if request.method == "GET" and request.path == "/":
            return web.Response(text=PAGE, content_type="text/html")
        return web.Response(status=status)

    def _keep(self, request: web.Request, body: bytes, signed: str, answer: int) -> None:
        self._arrivals.keep(
            Arrival(
                id=request.headers.get("webhook-id"),
                channel="webhook",
                recipient=f"{request.scheme}://{request.host}{request.path_qs}",
                headers=list(request.headers.items()),
                content=body,
                signature=signed,
                answer=answer,
            )
        )

    def _show(self, request: web.Request, body: bytes, note: str) -> None:
        self._lines.show(
            Line(
                kind="webhook",
                id=request.headers.get("webhook-id"),
                where=f"{request.method} {request.path_qs}",
                size=len(body),
                note=note,
                headers=signing_headers(request.headers),
                head="\n".join(f"{name}: {value}" for name, value in request.headers.items()),
                body=body.decode(errors="backslashreplace"),
            )
        )


def signing_headers(headers: Mapping[str, str]) -> str:
    """Give the headers that a line shows: the content type, and those of the signature."""
    shown = ("content-type", "webhook-timestamp", "webhook-signature")
    return ", ".join(f"{name}: {headers[name]}" for name in shown if name in headers)


def steer(path: str) -> tuple[int, float]:
    """Read from a path which status to answer, and after how many seconds."""
    status, slow = STATUS.search(path), SLOW.search(path)
    return (
        int(status[1]) if status else 200,
        min(float(slow[1]), DELAY_MAX_S) if slow else 0.0,
    )


def verdict(headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], now: float) -> str:
    """Judge a signature by Standard Webhooks 1.0: v1, HMAC-SHA256, five minutes of tolerance."""
    signatures = headers.get("webhook-signature", "").split()
    if not signatures:
        return "unsigned"
    if not keys:
        return "signed (no secret to check it)"
    stamp = headers.get("webhook-timestamp", "")
    if not re.fullmatch(r"[0-9]{1,12}", stamp) or abs(now - int(stamp)) > TOLERANCE_S:
        return "BAD SIGNATURE (timestamp)"
    valid = signature(keys, headers.get("webhook-id", ""), int(stamp), body).split()
    claimed = [text.encode(errors="surrogateescape") for text in signatures]
    ok = any(hmac.compare_digest(text, right.encode()) for text in claimed for right in valid)
    return "signed ok" if ok else "BAD SIGNATURE"
