"""Who may call: no web page of another origin. Nor may a body be compressed.

A browser sends the requests of any page to this machine: by a name that points here (DNS
rebinding), or straight across sites. The headers Host, Origin and Sec-Fetch-Site show it, and no
page can forge them.
"""

import re
from collections.abc import Callable, Iterable

from aiohttp import web
from multidict import MultiMapping

from service.http.connections import UNREADABLE, Handler
from service.http.problems import Problem, answer, of_status
from service.names.loopback import address_of, is_loopback

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FROM_HERE = frozenset({"none", "same-origin"})  # values of Sec-Fetch-Site
HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::[0-9]{0,5})?", re.ASCII)
PORTS = {"http": ":80", "https": ":443"}  # browsers leave them out, and some proxies add them
KNOWN_MAX = 1000

NOSNIFF = {"X-Content-Type-Options": "nosniff"}
CLOSED = NOSNIFF | {
    "Cache-Control": "no-store",  # a cache in front may not look at Authorization
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


def protected(
    handler: Handler,
    fault: Callable[[web.BaseRequest], str | None],
    refused: Callable[[str], None] = lambda code: None,
) -> Handler:
    """Refuse a faulty request before anything reads it; add headers for browsers and caches."""

    async def protect(request: web.BaseRequest) -> web.StreamResponse:
        response: web.StreamResponse
        try:
            if UNREADABLE in request:
                response = answer(Problem("malformed_request"))
            elif (code := fault(request)) is None:
                response = await handler(request)
            else:
                refused(code)
                response = answer(Problem(code))
        except web.HTTPException as error:  # raised by aiohttp; never a redirect
            allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
            response = answer(of_status(error.status, allow))
        if request.method in SAFE:
            for name, value in CLOSED.items():
                response.headers.setdefault(name, value)
        else:  # no page shows these answers, and POST /notify must be fast
            response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return protect


class Callers:
    """Which names the service answers to, and which requests it refuses."""

    def __init__(self, host: str, allowed: Iterable[str] = ()) -> None:
        """Take the host that we listen on. If it is a loopback one, serve only such and `allowed`.

        Otherwise serve any name, or if some are `allowed` only those; and any address always: no
        page can make an address its own, and Prometheus scrapes containers by address.
        """
        self._allowed = frozenset(allowed)
        self._is_open = not is_loopback(host)
        self._known: set[str] = set()  # Host headers that passed

    def fault(self, request: web.BaseRequest) -> str | None:
        """Return the code of the problem with a request; None: there is none."""
        return self.fault_of(request.method, request.host, request.headers)

    def fault_of(self, method: str, host: str, headers: MultiMapping[str]) -> str | None:
        """Return the same of what aiohttp has made no request of."""
        if code := encoded(headers):
            return code
        if host not in self._known and not self.serves(host):
            return "foreign_host"
        if method not in SAFE and self._is_cross_site(headers, host):
            return "cross_site_request"
        return None

    def serves(self, host: str) -> bool:
        """Return whether a Host header names us, and remember it if so."""
        name = name_of(host)
        ours = (
            name in self._allowed
            or is_loopback(name)
            or (self._is_open and (not self._allowed or address_of(name) is not None))
        )
        if ours and len(self._known) < KNOWN_MAX:
            self._known.add(host)
        return ours

    def _is_cross_site(self, headers: MultiMapping[str], host: str) -> bool:
        """Return whether a page of another origin asks. Programs send neither header."""
        if "Origin" not in headers and "Sec-Fetch-Site" not in headers:
            return False
        if not FROM_HERE.issuperset(headers.getall("Sec-Fetch-Site", ())):
            return True
        return any(self._is_foreign(origin, host) for origin in headers.getall("Origin", ()))

    def _is_foreign(self, origin: str, host: str) -> bool:
        """Return whether an Origin header names another origin than ours; `null` is one."""
        scheme, _, netloc = origin.lower().partition("://")
        port = PORTS.get(scheme, "")
        is_ours = netloc.removesuffix(port) == host.lower().removesuffix(port)
        return not (netloc and is_ours) and name_of(netloc) not in self._allowed


def encoded(headers: MultiMapping[str]) -> str | None:
    """Return the problem of a body that is compressed or otherwise encoded: we never decode one."""
    if ("Content-Encoding" in headers and not only(headers, "Content-Encoding", "identity")) or (
        "Transfer-Encoding" in headers and not only(headers, "Transfer-Encoding", "chunked")
    ):
        return "unsupported_content_encoding"
    return None


def only(headers: MultiMapping[str], name: str, allowed: str) -> bool:
    """Return whether a header has no other value than the allowed one."""
    return all(value.strip().lower() in ("", allowed) for value in headers.getall(name))


def name_of(host: str) -> str:
    """Return the name or address in a Host header without the port; "": the header is malformed."""
    match = HOST.fullmatch(host.lower())
    return match[1].removesuffix(".") if match else ""
