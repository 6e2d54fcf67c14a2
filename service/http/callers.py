"""Who may call: not a web page of somebody else, and nothing that is compressed.

A browser sends any page's requests to this machine: by a name that points here (DNS rebinding),
or straight across sites. Host, Origin and Sec-Fetch-Site say so, and no page can forge them.
"""

import re
from collections.abc import Callable, Iterable

from aiohttp import web
from multidict import MultiMapping

from service.http.connections import Handler
from service.http.problems import Problem, answer, of_status
from service.names.loopback import address_of, is_loopback

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FROM_HERE = frozenset({"none", "same-origin"})  # of Sec-Fetch-Site
HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::[0-9]{0,5})?", re.ASCII)
KNOWN_MAX = 1000

NOSNIFF = {"X-Content-Type-Options": "nosniff"}
CLOSED = NOSNIFF | {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


def protected(
    handler: Handler,
    fault: Callable[[web.BaseRequest], str | None],
    refused: Callable[[str], None] = lambda code: None,
) -> Handler:
    """Refuse what is at fault before anything reads it, and tell browsers to keep out."""

    async def protect(request: web.BaseRequest) -> web.StreamResponse:
        code = fault(request)
        try:
            if code is None:
                response = await handler(request)
            else:
                refused(code)
                response = answer(Problem(code))
        except web.HTTPException as error:  # aiohttp's own, and never a redirect
            allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
            response = answer(of_status(error.status, allow))
        if request.method in SAFE:
            for name, value in CLOSED.items():
                response.headers.setdefault(name, value)
        else:  # no page shows these, and POST /notify is in a hurry
            response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return protect


class Callers:
    """Which names the service answers to, and which requests it refuses."""

    def __init__(self, host: str, allowed: Iterable[str] = ()) -> None:
        """Listen on `host`: if it is this machine's own, only its names count, and `allowed`.

        Elsewhere any name will do, unless some are `allowed`, and any address in any case: no page
        can make one its own, and Prometheus scrapes containers by theirs.
        """
        self._allowed = frozenset(allowed)
        self._is_open = not is_loopback(host)
        self._known: set[str] = set()  # Host headers that were fine

    def fault(self, request: web.BaseRequest) -> str | None:
        """Say what is wrong with a request, as the code of a problem; None: nothing."""
        if code := encoded(request):
            return code
        host = request.host
        if host not in self._known and not self.serves(host):
            return "foreign_host"
        if request.method not in SAFE and self._is_cross_site(request.headers, host):
            return "cross_site_request"
        return None

    def serves(self, host: str) -> bool:
        """Tell whether a Host header names us, and remember it if so."""
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
        """Tell whether a page of another origin asks. Programs send neither header."""
        if "Origin" not in headers and "Sec-Fetch-Site" not in headers:
            return False
        if not FROM_HERE.issuperset(headers.getall("Sec-Fetch-Site", ())):
            return True
        return any(self._is_foreign(origin, host) for origin in headers.getall("Origin", ()))

    def _is_foreign(self, origin: str, host: str) -> bool:
        """Tell whether an Origin header names none of ours; `null` names nobody."""
        netloc = origin.partition("://")[2].lower()
        return netloc != host.lower() and name_of(netloc) not in self._allowed


def encoded(request: web.BaseRequest) -> str | None:
    """Find a body that is compressed or otherwise encoded; it is never decoded."""
    headers = request.headers
    if ("Content-Encoding" in headers and not only(headers, "Content-Encoding", "identity")) or (
        "Transfer-Encoding" in headers and not only(headers, "Transfer-Encoding", "chunked")
    ):
        return "unsupported_content_encoding"
    return None


def only(headers: MultiMapping[str], name: str, allowed: str) -> bool:
    """Tell whether a header says nothing but the one allowed word."""
    return all(value.strip().lower() in ("", allowed) for value in headers.getall(name))


def name_of(host: str) -> str:
    """Give the name or address in a Host header, without the port; empty: it is none."""
    found = HOST.fullmatch(host.lower())
    return found[1].removesuffix(".") if found else ""
