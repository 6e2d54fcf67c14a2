"""What the pages load: our style and script, and htmx, which is pinned (static/README.md)."""

import hashlib
from importlib.resources import files

from aiohttp import web

from service.http.problems import Problem, answer

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
NAMES = (
    "console.css",
    "console.js",
    "htmx.min.js",
    "icon.svg",
    "icon-bad.svg",
    "live.js",
    "search.js",
    "try.js",
)
KEPT = "public, max-age=31536000, immutable"


class Assets:
    """The files in memory, each under a URL that changes with it: browsers may keep them."""

    def __init__(self) -> None:
        static = files("service.console").joinpath("static")
        self._bodies = {name: static.joinpath(name).read_bytes() for name in NAMES}
        self._versions = {
            name: hashlib.sha256(body).hexdigest()[:12] for name, body in self._bodies.items()
        }

    def url(self, name: str) -> str:
        """Return where a file is."""
        return f"/console/static/{name}?v={self._versions[name]}"

    async def serve(self, request: web.Request) -> web.Response:
        """Answer one file."""
        name = request.match_info["name"]
        if name not in self._bodies:
            return answer(Problem("not_found"))
        # While releases change, a page of the other one asks for what we do not have.
        is_ours = request.query.get("v") == self._versions[name]
        return web.Response(
            body=self._bodies[name],
            headers={
                "Content-Type": TYPES[name[name.rindex(".") :]],
                "Cache-Control": KEPT if is_ours else "no-store",
            },
        )
