"""POST /notify/batch: many notifications in one request, each accepted or refused by itself."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TypeGuard

import msgspec
from aiohttp import web
from loguru import logger

from service.access.caller import Caller, caller_of
from service.api.batcher import Batcher
from service.api.door import owed
from service.api.enqueue import refused, trace_of
from service.api.intake import Intake
from service.api.items import Bodies, elements, is_ndjson, lines
from service.api.read_limit import ReadLimit
from service.api.ready import Ready
from service.api.slices import in_slices
from service.api.views import BatchItem, BatchReport, Links
from service.errors import Refused
from service.http.problems import Problem, document_of
from service.limits import BODY_BYTES_MAX
from service.model.notification import Accepted
from service.model.words import Channel

Checked = Ready | Problem
Reply = Accepted | Problem
Submitted = asyncio.Future[Accepted] | Problem

encode = msgspec.json.Encoder().encode


class BatchHandler:
    """Check each item, enqueue the good ones together, answer after the commit."""

    def __init__(self, intake: Intake, batcher: Batcher, limit: ReadLimit) -> None:
        """`batcher`: of batches alone, so that no POST /notify waits behind their rows."""
        self._intake = intake
        self._batcher = batcher
        self._limit = limit
        self._bodies = Bodies()

    async def post(self, request: web.Request) -> web.Response:
        """Answer 200 with a result for each item, or raise Problem; either is counted."""
        caller = caller_of(request)
        found: list[bytes] = []
        try:
            refuse_key_of_all(request)
            has_lines = is_ndjson(request)
            async with (
                self._bodies.read(request, caller.producer) as body,
                self._limit.admitted(caller.producer),
            ):
                caller = caller_of(request)  # as of now: a body may come slowly
                found = lines(body) if has_lines else await elements(body)
                with owed(request, max(0, len(found) - 1)):
                    trace = trace_of(request.headers)
                    looked = await in_slices(partial(self._check, caller, trace), found)
                    checked = without_defects(looked)
                    replies = await replies_to(self._submit(checked, caller.producer), checked)
        except Problem as problem:
            self._intake.count_failed(problem, max(1, len(found)))
            raise
        self._count(checked, replies)
        results = await in_slices(result, enumerate(replies))
        accepted = sum(isinstance(reply, Accepted) for reply in replies)
        report = BatchReport(accepted=accepted, refused=len(replies) - accepted, items=results)
        headers = {"Content-Type": "application/json"} | retry_after(replies)
        return web.Response(body=encode(report), headers=headers)

    def _check(self, caller: Caller, trace: str | None, item: bytes) -> Ready | Exception:
        """Read one item as the body of a POST /notify; whatever goes wrong is of this item."""
        if len(item) > BODY_BYTES_MAX:
            return Problem("body_too_large")
        try:
            return self._intake.checked(item, caller, trace)
        except Exception as error:  # also a defect of ours: the other items are none the worse
            return error

    def _submit(self, checked: Iterable[Checked], producer: str | None) -> list[Submitted]:
        """Queue all good items, which one INSERT takes. Raises Problem if there is no room."""
        good = [item for item in checked if not isinstance(item, Problem)]
        if not self._batcher.has_room(len(good), sum(len(item.row) for item in good)):
            raise Problem("overloaded")
        return [self._submit_one(item, producer) for item in good]

    def _submit_one(self, item: Ready, producer: str | None) -> Submitted:
        """Queue one item; a Problem: it goes aside (service/api/aside.py), where no room is."""
        try:
            return item.submit(self._batcher, producer)
        except Problem as problem:
            return problem

    def _count(self, checked: Iterable[Checked], replies: Iterable[Reply]) -> None:
        """Count items as if each had been a request."""
        enqueued: Counter[Channel] = Counter()
        for item, reply in zip(checked, replies, strict=True):
            if isinstance(reply, Problem):
                self._intake.count_failed(reply)
            elif not isinstance(item, Problem) and not reply.replayed:
                enqueued[item.notification.channel] += 1
        for channel, items in enqueued.items():
            self._intake.count(channel, items)


def refuse_key_of_all(request: web.Request) -> None:
    """Raise Problem for a header that names one request, not each notification."""
    if "Idempotency-Key" in request.headers:
        sentence = "Give each notification an idempotency_key of its own, in place of the header."
        raise Problem("invalid_idempotency_key", sentence)


def without_defects(looked: Iterable[Ready | Exception]) -> list[Checked]:
    """Answer internal_error for each item that met a defect of ours; log the first of them."""
    checked: list[Checked] = []
    defects = []
    for item in looked:
        if isinstance(item, Ready | Problem):
            checked.append(item)
        else:
            defects.append(item)
            checked.append(Problem("internal_error"))
    if defects:
        log = logger.opt(exception=defects[0])
        log.error("request_failed", method="POST", path="/notify/batch", items=len(defects))
    return checked


async def replies_to(submitted: Iterable[Submitted], checked: Sequence[Checked]) -> list[Reply]:
    """Wait for what became of the good items; returns what became of each item, in order.

    Raises Problem if nothing can be enqueued now: then the whole batch is to be sent again.
    """
    replies = [await reply_to(item) for item in submitted]
    ours = [reply for reply in replies if is_our_fault(reply)]
    if ours and len(ours) == len(replies):
        raise ours[0]
    rest = iter(replies)
    return [item if isinstance(item, Problem) else next(rest) for item in checked]


async def reply_to(submitted: Submitted) -> Reply:
    """Wait for what became of one item."""
    if isinstance(submitted, Problem):
        return submitted
    try:
        return await submitted
    except Refused as refusal:
        return refused(refusal)
    except Problem as problem:
        return problem


def is_our_fault(reply: Reply) -> TypeGuard[Problem]:
    """Return whether the item may be right, and the service is at fault."""
    return isinstance(reply, Problem) and reply.kind.status >= 500


def retry_after(replies: Iterable[Reply]) -> dict[str, str]:
    """Return the header that the problems of some items speak of, if there are such."""
    name = "Retry-After"
    waits = {r.headers[name] for r in replies if isinstance(r, Problem) and name in r.headers}
    return {name: max(waits, key=int)} if waits else {}


def result(numbered: tuple[int, Reply]) -> BatchItem:
    """Describe what became of one item."""
    index, reply = numbered
    if isinstance(reply, Problem):
        return BatchItem(index=index, problem=document_of(reply))
    return BatchItem(
        index=index,
        id=reply.id,
        status="queued",
        created_at=reply.created_at,
        links=Links(f"/notifications/{reply.id}"),
        replayed=reply.replayed or None,
    )
