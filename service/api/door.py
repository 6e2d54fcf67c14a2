"""The door: once there are keys, a request brings one, and comes as far as its scopes let it."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps

from aiohttp import web
from multidict import MultiMapping

from service.access.allowance import Allowance
from service.access.caller import ANYBODY, CALLER, Caller
from service.access.held import Held
from service.access.key import Secret, brought
from service.access.recipients import is_allowed
from service.access.ring import KeyRing
from service.access.scopes import ADMIN, SEND, may, may_send_on
from service.access.session import TOKEN_HEADER, cookie_of, is_token_of, key_in
from service.api.measured import Handler
from service.errors import DatabaseAway
from service.http.callers import SAFE
from service.http.problems import Problem
from service.metrics import ApiMetrics

ALLOWANCE = web.RequestKey("allowance", Allowance)  # the item of a request whose key has a limit
ADMITTED = web.RequestKey("admitted", tuple)  # the door, and the scope that it asked for
CHALLENGE = 'Bearer realm="notify"'  # RFC 6750
Find = Callable[[Secret], Awaitable[Held | None]]
NAME_A_CHANNEL = "Name one of the key's channels in the filter, or ids."
NAME_IDS = "A key that is held to recipients redrives by ids only: name them."


class Door:
    """Lets requests in whose key may do what they ask."""

    def __init__(self, ring: KeyRing, metrics: ApiMetrics) -> None:
        self._ring = ring
        self._requests_refused = metrics.requests_refused
        self._enqueue_failed = metrics.enqueue_failed

    def admitted(self, handler: Handler, need: str) -> Handler:
        """Let only those reach a handler whose key has a scope. No middleware: see guarded()."""

        @wraps(handler)
        async def admit(request: web.Request) -> web.StreamResponse:
            if "Cookie" in request.headers:
                self._refuse_forged(request)
            request[ADMITTED] = self, need
            if self._ring.is_open and need != ADMIN:
                return await handler(request)
            held = await self._held(request, need)
            if held is None:
                return await handler(request)
            request[CALLER] = held.caller
            if held.allowance is None:
                self._demand(held.caller, need)
                return await handler(request)
            return await self._within(held.allowance, held.caller, request, handler, need)

        return admit

    async def caller(self, request: web.Request, need: str) -> Caller:
        """Return who asks for a page, by cookie or header. Raises Problem if they may not."""
        held = await self._held(request, need)
        if held is None:
            return ANYBODY
        if held.allowance is not None:
            self._take(held.allowance)
        self._demand(held.caller, need)
        return held.caller

    async def still(self, request: web.Request, need: str) -> Caller:
        """Return who asks for what takes long, as of now. Raises Problem if they no longer may.

        It takes nothing from the key's limit, and asks memory alone while the keys are fresh.
        """
        try:
            held = await self._brought(request, need, self._ring.still)
        except DatabaseAway:
            raise Problem("database_unavailable") from None
        if held is None:
            return ANYBODY
        self._demand(held.caller, need)
        return held.caller

    def at_once(self, headers: MultiMapping[str]) -> Caller | None:
        """Return who may send, without a wait; None: nobody, or admitted() has more to do."""
        if "Cookie" in headers:
            return None
        if self._ring.is_open:
            return ANYBODY
        secret = brought(headers.getall("Authorization", ()))
        held = None if secret is None else self._ring.held(secret)
        if held is None or held.allowance is not None or not may(held.caller, SEND):
            return None
        return held.caller

    async def _held(self, request: web.Request, need: str) -> Held | None:
        """Return the key that a request brings; None: anybody may call. Raises Problem."""
        try:
            return await self._brought(request, need, self._ring.find)
        except DatabaseAway:
            if need == SEND:
                self._enqueue_failed.labels("unavailable").inc()
            raise Problem("database_unavailable") from None

    async def _brought(self, request: web.Request, need: str, find: Find) -> Held | None:
        """Return the key that a request brings; None: anybody may call.

        Raises Problem, or DatabaseAway.
        """
        secret, is_brought = key_of(request)
        await self._ring.confirm()
        if self._ring.is_open and need != ADMIN:
            return None
        held = None if secret is None else await find(secret)
        if not is_brought:
            raise self._refusal("key_missing", CHALLENGE)
        if held is None:
            raise self._refusal("key_invalid", f'{CHALLENGE}, error="invalid_token"')
        return held

    def _demand(self, caller: Caller, need: str) -> None:
        """Raise Problem unless a caller has a scope."""
        if not may(caller, need):
            challenge = f'{CHALLENGE}, error="insufficient_scope"'
            raise self._refusal("scope_missing", challenge, f"It takes a key with scope {need}.")

    async def _within(
        self,
        allowance: Allowance,
        caller: Caller,
        request: web.Request,
        handler: Handler,
        need: str,
    ) -> web.StreamResponse:
        """Answer a request of a key that has a limit, and say how much of it is left."""
        request[ALLOWANCE] = allowance
        try:
            self._take(allowance)
            self._demand(caller, need)
            response = await handler(request)
        except Problem as problem:
            problem.headers.update(allowance.fields())
            raise
        response.headers.update(allowance.fields())
        return response

    def _take(self, allowance: Allowance) -> None:
        """Raise Problem if a key goes too fast."""
        if not allowance.take():
            self._requests_refused.labels("rate_limited").inc()
            raise Problem("rate_limited", headers={"Retry-After": str(allowance.wait_s())})

    def _refusal(self, code: str, challenge: str, detail: str = "") -> Problem:
        self._requests_refused.labels(code).inc()
        return Problem(code, detail, headers={"WWW-Authenticate": challenge})

    def _refuse_forged(self, request: web.Request) -> None:
        """Raise Problem if a browser's session moves something without its token."""
        cookie = cookie_of(request.cookies, request.host)
        if cookie is None or request.method in SAFE or header_key(request) is not None:
            return
        if not is_token_of(cookie, request.headers.get(TOKEN_HEADER, "")):
            self._requests_refused.labels("csrf_token_invalid").inc()
            raise Problem("csrf_token_invalid")


def key_of(request: web.Request) -> tuple[Secret | None, bool]:
    """Return the key that a request brings, and whether it tries to: by header, or by cookie."""
    if (secret := header_key(request)) is not None:
        return secret, True
    cookie = cookie_of(request.cookies, request.host)
    if cookie is not None:  # what else Authorization says may be a proxy's
        return key_in(cookie), True
    return None, "Authorization" in request.headers


async def refuse_if_lost(request: web.Request) -> None:
    """Raise Problem if who was admitted, and has been here for long, no longer may."""
    door, need = request[ADMITTED]
    request[CALLER] = await door.still(request, need)


def header_key(request: web.Request) -> Secret | None:
    """Read the key that a header brings."""
    return brought(request.headers.getall("Authorization", ()))


def sending_fault(caller: Caller, channel: str, recipient: str) -> str | None:
    """Return the code of what keeps a caller from sending there; None: nothing does.

    `recipient` as it is stored. Every way in asks this for each notification.
    """
    if not may_send_on(caller, channel):
        return "scope_missing"
    return reach_fault(caller, channel, recipient)


def reach_fault(caller: Caller, channel: str, recipient: str) -> str | None:
    """Return the code of what keeps a key from reaching a recipient, whatever its scopes."""
    if caller.channels is not None and channel not in caller.channels:
        return "channel_not_allowed"
    return None if is_allowed(caller.recipients, channel, recipient) else "recipient_not_allowed"


def filter_fault(caller: Caller, channel: str | None) -> tuple[str, str] | None:
    """Return code and detail of what keeps a key from sending to all that a filter may match.

    `channel`: the one that the filter names, if it does. None: nothing keeps it from that.
    """
    if caller.recipients is not None:
        return "recipient_not_allowed", NAME_IDS
    if caller.channels is not None and channel not in caller.channels:
        return "channel_not_allowed", NAME_A_CHANNEL
    return None


def refuse_unless_sendable(caller: Caller, channel: str, recipient: str) -> None:
    """Raise Problem if a caller may not send there."""
    if code := sending_fault(caller, channel, recipient):
        detail = f"It takes a key with scope {SEND}:{channel}." if code == "scope_missing" else ""
        raise Problem(code, detail)


@contextmanager
def owed(request: web.Request, count: int) -> Iterator[None]:
    """Charge the limit of a request's key for more than one: for what else a batch holds.

    A batch that is refused as a whole counts as one request.
    """
    allowance = request.get(ALLOWANCE)
    if allowance is None:
        yield
        return
    allowance.owe(count)
    try:
        yield
    except Exception:
        allowance.give_back(count)
        raise
