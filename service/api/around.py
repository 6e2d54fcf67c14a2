"""What stands around a handler: what becomes of its errors, and what it waits for."""

from functools import wraps

from aiohttp import web
from loguru import logger

from service.access.caller import caller_of
from service.access.scopes import sees_all
from service.api.enqueue import read_body
from service.api.measured import Handler
from service.api.read_limit import ReadLimit
from service.errors import DatabaseAway, TookTooLong
from service.http.problems import Problem, answer


def guarded(handler: Handler) -> Handler:
    """Turn every error of a handler into a problem.

    Not a middleware: each of those costs every request about 5 %.
    """

    @wraps(handler)
    async def guard(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Problem as problem:
            return answer(problem)
        except TookTooLong:
            return answer(Problem("overloaded"))
        except DatabaseAway:
            return answer(Problem("database_unavailable"))
        except web.HTTPException:
            raise
        except Exception:
            logger.exception("request_failed", method=request.method, path=request.path)
            return answer(Problem("internal_error"))

    return guard


def limited(handler: Handler, limit: ReadLimit) -> Handler:
    """Make a handler wait until the limit admits it."""

    @wraps(handler)
    async def wait(request: web.Request) -> web.StreamResponse:
        async with limit.admitted(caller_of(request).producer):
            return await handler(request)

    return wait


def after_body(handler: Handler) -> Handler:
    """Make a handler wait for the whole body: who sends it slowly takes no turn meanwhile."""

    @wraps(handler)
    async def wait(request: web.Request) -> web.StreamResponse:
        await read_body(request)  # it is kept, and read again by the handler
        return await handler(request)

    return wait


def by_sight(of_all: Handler, own: Handler) -> Handler:
    """Choose by whether the caller sees everybody's notifications, or its own."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return await (of_all if sees_all(caller_of(request)) else own)(request)

    return handler


def waits_or_not(waits: Handler, others: Handler) -> Handler:
    """Choose by whether a request waits: its time is no measure of how fast we answer."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return await (waits if "wait" in request.query else others)(request)

    return handler
