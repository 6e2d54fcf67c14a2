"""A notification that has been checked, on its way into the ledger."""

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from service.access.caller import Caller
from service.api.batcher import Batcher
from service.api.body import NewNotification
from service.errors import Refused
from service.http.problems import Problem
from service.model.notification import Accepted

if TYPE_CHECKING:
    from service.tracing.tracer import Begun, Tracer

encode = msgspec.json.Encoder().encode


class Ready(msgspec.Struct, frozen=True):
    """What is to be enqueued: the row as JSON, and the span that lasts until it is committed.

    `trace`: the row's traceparent: the span's own, else the request's, if any.
    """

    notification: NewNotification
    row: bytes
    trace: str | None
    span: "Begun | None"

    def submit(self, batcher: Batcher, producer: str | None) -> asyncio.Future[Accepted]:
        """Queue it; see Batcher.submit."""
        future = batcher.submit(self.row, self.notification, producer, self.trace)
        if self.span is not None:
            future.add_done_callback(self._end)
        return future

    def _end(self, future: asyncio.Future[Accepted]) -> None:
        """End the span with what became of it; cancelled: its client went away."""
        assert self.span is not None
        if future.cancelled():
            self.span.end({}, "cancelled")
        elif error := future.exception():
            self.span.end({}, word_for(error))
        else:
            accepted = future.result()
            id = str(accepted.id)
            self.span.end({
                "messaging.message.id": id,
                "notification.id": id,
                "notification.replayed": accepted.replayed,
            })  # fmt: skip


def ready(
    notification: NewNotification, caller: Caller, trace: str | None, tracer: "Tracer | None"
) -> Ready:
    """Write the row: what the client said, what the key says of it, and its traceparent."""
    span = None if tracer is None else tracer.enqueue(notification.channel, trace)
    trace = trace if span is None else span.traceparent
    row = encode(notification)
    said = said_of(caller.producer, caller.kind == "test")
    row = row[:-1] + said if said else row
    if trace is not None:
        row = row[:-1] + b',"traceparent":"%b"}' % trace.encode()
    return Ready(notification, row, trace, span)


@lru_cache(maxsize=1024)
def said_of(producer: str | None, is_test: bool) -> bytes:
    """Write the end of a row whose producer or kind is not the default; empty: both are."""
    said: dict[str, object] = {} if producer is None else {"producer": producer}
    if is_test:
        said["is_test"] = True
    return b"," + encode(said)[1:] if said else b""


def word_for(error: BaseException) -> str:
    """Name an error without what the client sent: a problem's code, or a rule's name."""
    if isinstance(error, Problem):
        return error.code
    return error.constraint if isinstance(error, Refused) else type(error).__name__
