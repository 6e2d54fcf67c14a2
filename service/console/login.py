"""Logging in with an API key, and out."""

from urllib.parse import parse_qsl

from aiohttp import web

from service.access.caller import Caller
from service.access.key import KEY, Secret
from service.access.ring import KeyRing
from service.access.scopes import READ, may
from service.access.session import cookie_of, is_token_of
from service.console.pages import HOME, LOGIN, begin_session, end_session, redirected
from service.console.screen import Screen
from service.http.problems import Problem

FORM = "application/x-www-form-urlencoded"
FORM_BYTES_MAX = 16 * 1024
NOT_VALID = "This key is not valid: it may be mistyped, revoked or expired."
MAY_NOT_READ = "This key may not read. It takes one with scope read or operate."


class Login:
    """The form, and what it sends."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def form(self, request: web.Request, caller: Caller) -> Screen | web.Response:
        """Ask for a key; where anybody may call there is nothing to ask."""
        await self._ring.confirm()
        if self._ring.is_open:
            return redirected(HOME)
        return form(request.query.get("next", ""))

    async def begin(self, request: web.Request, caller: Caller) -> Screen | web.Response:
        """Begin a session with the key that the form brings."""
        fields = await read_form(request)
        wanted = fields.get("next", "")
        match = KEY.fullmatch(fields.get("key", "").strip())
        held = None if match is None else await self._ring.find(Secret(match[1], match[2]))
        if match is None or held is None:
            return form(wanted, NOT_VALID)
        if not may(held.caller, READ):
            return form(wanted, MAY_NOT_READ)
        response = redirected(place(wanted))
        begin_session(request, response, match[0])
        return response

    async def end(self, request: web.Request, caller: Caller) -> web.Response:
        """End the session. Raises Problem if its form is not ours."""
        fields, cookie = await read_form(request), cookie_of(request.cookies, request.host)
        if cookie is not None and not is_token_of(cookie, fields.get("token", "")):
            raise Problem("csrf_token_invalid")
        response = redirected(LOGIN)
        end_session(request, response)
        return response


def form(wanted: str, fault: str = "") -> Screen:
    """Show the form; 401 with a fault."""
    return Screen(
        template="login.html",
        title="Log in",
        shows={"next": place(wanted), "fault": fault},
        status=401 if fault else 200,
    )


def place(wanted: str) -> str:
    """Return the page to go on with: one of the console's, and no other site's."""
    is_ours = wanted == HOME or wanted.startswith(("/console/", "/console?"))
    return wanted if is_ours and wanted.isprintable() and "\\" not in wanted else HOME


async def read_form(request: web.Request) -> dict[str, str]:
    """Read the fields of a form, without a key: little of it, and only in UTF-8. Raises Problem."""
    if request.content_type != FORM or (request.charset or "utf-8").lower() != "utf-8":
        raise Problem("unsupported_media_type", f"Send {FORM}, in UTF-8.")
    body = bytearray()
    async for chunk in request.content.iter_chunked(FORM_BYTES_MAX):
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            raise Problem("body_too_large", f"Send at most {FORM_BYTES_MAX} bytes.")
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
