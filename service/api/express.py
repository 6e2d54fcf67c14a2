"""POST /notify by the express road (service/http/express.py): what most of these requests take.

It does what the routes of app.py do around EnqueueHandler, in one call. Only what will be accepted
as far as one can tell without waiting goes this way. A refusal takes the usual road from its
beginning, and so does a key that has to be read, or that has a limit.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from time import perf_counter

from aiohttp.http import RawRequestMessage
from loguru import logger
from multidict import MultiMapping

from service.api.door import Door
from service.api.enqueue import JSON_TYPES, EnqueueHandler, receipt, refused
from service.api.measured import Measured
from service.errors import Refused
from service.http.callers import NOSNIFF
from service.http.express import Respond, written
from service.http.problems import PROBLEM_HEADERS, Problem, body_of
from service.limits import BODY_BYTES_MAX
from service.model.notification import Accepted
from service.model.words import Channel

Fault = Callable[[str, str, MultiMapping[str]], str | None]


class ExpressEnqueue:
    """Answers POST /notify."""

    def __init__(self, enqueue: EnqueueHandler, door: Door, measured: Measured) -> None:
        self._enqueue = enqueue
        self._door = door
        self._measured = measured
        self._observe = measured.observer("/notify", 200, 202, 503)

    def takes(self, fault: Fault, head: RawRequestMessage, body: bytes, respond: Respond) -> bool:
        """Enqueue what a request brings, and answer after the commit. False: the usual road does.

        `fault`: what keeps a caller out; see Callers.
        """
        headers = head.headers
        host = headers.get("Host")
        if (
            head.path != "/notify"
            or head.method != "POST"
            or headers.get("Content-Type") not in JSON_TYPES
            or len(body) > BODY_BYTES_MAX
            or host is None
            or fault(head.method, host, headers) is not None
            or (caller := self._door.at_once(headers)) is None
        ):
            return False
        began = perf_counter()
        try:
            item = self._enqueue.checked(headers, body, caller)
            future = self._enqueue.submit(item, caller)
        except Exception:  # the usual road meets the same, and answers, counts and logs it
            return False
        self._measured.in_progress += 1
        future.add_done_callback(partial(self._answer, item.notification.channel, began, respond))
        return True

    def _answer(
        self,
        channel: Channel,
        began: float,
        respond: Respond,
        future: asyncio.Future[Accepted],
    ) -> None:
        """Answer a request that was enqueued, or could not be."""
        try:
            status, headers, body = receipt(accepted := future.result())
            self._enqueue.count(channel, accepted)
        except (Exception, asyncio.CancelledError) as error:
            status, headers, body = self._failed(error)
        self._measured.in_progress -= 1
        self._observe(status, began)
        respond(written(status, headers | NOSNIFF, body))

    def _failed(self, error: BaseException) -> tuple[int, dict[str, str], bytes]:
        """Describe what went wrong with a row: status, headers and body."""
        if isinstance(error, Refused):
            error = refused(error)
        if isinstance(error, Problem):
            self._enqueue.intake.count_failed(error)
        else:
            logger.opt(exception=error).error("request_failed", method="POST", path="/notify")
            error = Problem("internal_error")
        return error.kind.status, {**error.headers, **PROBLEM_HEADERS}, body_of(error)
