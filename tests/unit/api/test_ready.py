"""The row of a notification, and the span that lasts until it is committed."""

import asyncio
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from service.api.body import read_notification
from service.api.ready import ready
from service.config.settings import Settings
from service.errors import Refused
from service.http.problems import Problem
from service.model.notification import Accepted
from tests.unit.test_traceparent import GOOD, TRACE

OWN = f"00-{TRACE}-{'a' * 16}-01"
LINE = read_notification(b'{"channel":"log","recipient":"r","payload":1}', Settings())
ANYBODY: Any = SimpleNamespace(producer=None, kind="live")
ID = UUID(int=7)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Recorder:
    """Stands for a Tracer, and notes what it is asked for."""

    def __init__(self):
        self.asked, self.ended = [], []

    def enqueue(self, *given):
        self.asked.append(given)
        return SimpleNamespace(traceparent=OWN, end=lambda *said: self.ended.append(said))


@pytest.mark.parametrize(
    ("caller", "trace", "more"),
    [
        (ANYBODY, None, {}),
        (ANYBODY, GOOD, {"traceparent": GOOD}),
        (
            SimpleNamespace(producer="shop", kind="test"),
            GOOD,
            {"producer": "shop", "is_test": True, "traceparent": GOOD},
        ),
    ],
)
def test_the_row_says_what_client_key_and_header_say(caller, trace, more):
    made = ready(LINE, caller, trace, None)
    assert json.loads(made.row) == {"channel": "log", "recipient": "r", "payload": 1} | more
    assert (made.trace, made.span) == (trace, None)


def test_the_row_is_of_the_span():
    tracer: Any = Recorder()
    made = ready(LINE, ANYBODY, GOOD, tracer)
    assert tracer.asked == [("log", GOOD)]
    assert json.loads(made.row)["traceparent"] == made.trace == OWN


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (
            lambda future: future.set_result(Accepted(ID, NOW, replayed=True)),
            (
                {
                    "messaging.message.id": str(ID),
                    "notification.id": str(ID),
                    "notification.replayed": True,
                },
            ),
        ),
        (lambda future: future.set_exception(Problem("overloaded")), ({}, "overloaded")),
        (lambda future: future.set_exception(Refused("no", constraint="rule")), ({}, "rule")),
        (lambda future: future.cancel(), ({}, "cancelled")),
    ],
)
def test_the_span_ends_with_what_became_of_it(end, said):
    tracer: Any = Recorder()

    async def run():
        future = asyncio.get_running_loop().create_future()
        batcher: Any = SimpleNamespace(submit=lambda *given: future)
        ready(LINE, ANYBODY, None, tracer).submit(batcher, None)
        end(future)
        await asyncio.wait([future])
        await asyncio.sleep(0)

    asyncio.run(run())
    assert tracer.ended == [said]
