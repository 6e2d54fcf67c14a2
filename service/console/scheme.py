"""Whether the browser came by http or https."""

from aiohttp import web


def scheme(request: web.Request) -> str:
    """Return how the browser came, also through a proxy.

    A login and a verb bring an Origin, in which the browser says it itself. What a proxy says may
    be missing, or wrong; of several it is the first one's.
    """
    origin = request.headers.get("Origin", "").partition("://")[0]
    if origin in ("http", "https"):
        return origin
    proxys = request.headers.get("X-Forwarded-Proto", "").partition(",")[0]
    return "https" if request.secure or proxys.strip().lower() == "https" else "http"
