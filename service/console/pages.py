"""What stands around every screen: who may see it, its frame, and what is shown when it fails."""

from collections.abc import Mapping
from urllib.parse import quote

from aiohttp import web
from loguru import logger

from service.access.caller import Caller
from service.access.scopes import ANY, OPERATE, SEND, may, sees_all, sees_payloads
from service.access.session import (
    COOKIE,
    TOKEN_COOKIE,
    cookie_of,
    key_in,
    named,
    opened,
    token_for,
)
from service.api.measured import Handler
from service.api.parts import Parts
from service.console.assets import Assets
from service.console.scheme import scheme
from service.console.screen import Screen, View
from service.console.templating import environment
from service.errors import DatabaseAway, TookTooLong
from service.http.callers import SAFE
from service.http.problem_kinds import KINDS
from service.http.problems import Problem
from service.process.distribution import installed_version

# No inline script, no other origin; what a producer wrote can load nothing.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-src 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
}
NO_KEY = frozenset({"key_missing", "key_invalid"})
SESSION_S = 12 * 3600
AWAY_RETRY_S = 2
HOME = "/console"
LOGIN = "/console/login"
NEXT_MAX = 3500  # characters: what is longer fits no request line, and is found again by hand
NOBODY = Caller(scopes=frozenset())


class Pages:
    """Makes handlers of views."""

    def __init__(self, parts: Parts, assets: Assets, menu: list[tuple[str, str]]) -> None:
        """`menu`: path and name of each screen, in their order."""
        self._menu = menu
        self._needs: dict[str, str] = {}
        self._door = parts.door
        self._ring = parts.ring
        self._templates = environment(
            asset=assets.url,
            version=installed_version(),
            is_sandbox=parts.is_sandbox,
        )

    def takes(self, path: str, need: str) -> None:
        """Note which scope a screen takes: for callers without it the menu leaves it out."""
        self._needs[path] = need

    def page(self, view: View, need: str) -> Handler:
        """Make the handler of a screen for callers with a scope; others are sent to the login."""

        async def handler(request: web.Request) -> web.StreamResponse:
            return await self._answer(request, view, need)

        return handler

    def open_page(self, view: View) -> Handler:
        """Make the handler of a screen that everybody may see."""

        async def handler(request: web.Request) -> web.StreamResponse:
            return await self._answer(request, view, None)

        return handler

    async def _answer(
        self, request: web.Request, view: View, need: str | None
    ) -> web.StreamResponse:
        """Answer a screen, or what is in its way."""
        caller = NOBODY
        try:
            if need is not None:
                caller = await self._door.caller(request, need)
            answer = await view(request, caller)
            return self.render(request, caller, answer) if isinstance(answer, Screen) else answer
        except Problem as problem:
            if problem.code in NO_KEY and request.method == "GET":
                return self._to_login(request)
            answer = away() if problem.code == "database_unavailable" else failed(problem)
        except TookTooLong:
            answer = failed(Problem("overloaded"))
        except DatabaseAway:
            answer = away()
        except web.HTTPException:
            raise
        except Exception:
            logger.exception("request_failed", method=request.method, path=request.path)
            answer = failed(Problem("internal_error"))
        return self.render(request, caller, answer)

    def render(self, request: web.Request, caller: Caller, screen: Screen) -> web.Response:
        """Render a screen for a caller; where anybody may call, begin a session."""
        cookie = cookie_of(request.cookies, request.host)
        is_new = self._ring.is_open and (cookie is None or key_in(cookie) is not None)
        if is_new:
            cookie = opened()
        html = self._templates.get_template(screen.template).render(
            title=screen.title,
            here=request.path,
            again=None if request.method in SAFE else HOME,
            menu=[entry for entry in self._menu if may(caller, self._needs.get(entry[0], ANY))],
            is_open=self._ring.is_open,
            is_known=bool(caller.scopes),
            token="" if cookie is None else token_for(cookie),
            token_cookie=named(TOKEN_COOKIE, request.host),
            who=caller.producer,
            may_operate=may(caller, OPERATE),
            may_send=may(caller, SEND),
            sees_all=sees_all(caller),
            sees_payloads=sees_payloads(caller),
            **screen.shows,
        )
        headers = {**screen.headers, **HEADERS}
        response = web.Response(body=html.encode(), status=screen.status, headers=headers)
        if is_new and cookie is not None:
            begin_session(request, response, cookie)
        return response

    def _to_login(self, request: web.Request) -> web.Response:
        """Send a browser to the login, and back to where it was."""
        where = quote(str(request.rel_url), safe="")
        return redirected(f"/console/login?next={where}" if len(where) <= NEXT_MAX else LOGIN)


def failed(problem: Problem) -> Screen:
    """Show a problem: its title, and what to do."""
    kind = KINDS[problem.code]
    return Screen(
        template="failed.html",
        title=kind.title,
        status=kind.status,
        headers=problem.headers,
        shows={"kind": kind, "detail": problem.detail},
    )


def away() -> Screen:
    """Say that the database is away; the page asks again by itself."""
    return Screen(
        template="away.html",
        title="The database is away",
        status=503,
        shows={"retry_s": AWAY_RETRY_S},
    )


def begin_session(request: web.Request, response: web.StreamResponse, cookie: str) -> None:
    """Give a browser its session, and the token beside it."""
    is_https = scheme(request) == "https"
    both = (COOKIE, cookie, True), (TOKEN_COOKIE, token_for(cookie), False)
    for name, value, is_hidden in both:
        response.set_cookie(
            named(name, request.host), value, max_age=SESSION_S, path="/", httponly=is_hidden,
            secure=is_https, samesite="Lax",
        )  # fmt: skip


def end_session(request: web.Request, response: web.StreamResponse) -> None:
    """Take both cookies back."""
    for name in (COOKIE, TOKEN_COOKIE):
        response.del_cookie(named(name, request.host), path="/")


def redirected(where: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer 303 with a path of ours."""
    return web.Response(status=303, headers={"Location": where, **(headers or {})})
