"""What the API says of itself: /openapi.json, and the page that shows it to people."""

import base64
import hashlib
import re
from datetime import UTC, datetime
from importlib.resources import files

from aiohttp import web

from service.api.measured import Handler
from service.api.openapi import document
from service.clock import Clock
from service.config.settings import Settings


async def go_to_docs(request: web.Request) -> web.Response:
    """Redirect from the root to the documentation."""
    return web.Response(status=302, headers={"Location": "/docs"})


def described(settings: Settings, inbox_url: str | None, clock: Clock) -> Handler:
    """Make the handler of /openapi.json, made again each minute: its examples hold times."""
    made: tuple[int, bytes] = (0, b"")

    async def handler(request: web.Request) -> web.Response:
        nonlocal made
        now = datetime.fromtimestamp(clock.now(), UTC)
        if (minute := int(now.timestamp()) // 60) != made[0]:
            made = minute, document(settings, inbox_url, now)
        return web.Response(body=made[1], headers={"Content-Type": "application/json"})

    return handler


def static(body: bytes, content_type: str, policy: str | None = None) -> Handler:
    """Make a handler whose answer never changes; `policy`: what the page may load."""
    # Nobody's own, so browsers may go back to it with what was typed there.
    headers = {"Content-Type": content_type, "Cache-Control": "no-cache"}
    if policy is not None:
        headers["Content-Security-Policy"] = policy

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=body, headers=headers)

    return handler


def docs_page() -> bytes:
    """Read the page that shows /openapi.json to people: one file, with its style and its script."""
    static = files("service.api").joinpath("static")
    page = static.joinpath("docs.html").read_bytes()
    for place, name in ((b"{style}", "docs.css"), (b"{script}", "docs.js")):
        page = page.replace(place, static.joinpath(name).read_bytes(), 1)
    return page


def docs_policy(page: bytes) -> str:
    """Allow a page its own script and style, and requests to this service; nothing else."""

    def hashes(tag: bytes) -> str:
        parts = re.findall(rb"<%s>(.*?)</%s>" % (tag, tag), page, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(part).digest()).decode() for part in parts]
        return " ".join(f"'sha256-{digest}'" for digest in digests)

    return (
        f"default-src 'none'; script-src {hashes(b'script')}; style-src {hashes(b'style')};"
        " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
