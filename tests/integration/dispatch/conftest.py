"""A dispatcher that tests call verb by verb, and what its workers would see."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import pytest
import redis
from loguru import logger

import service.dispatch.offers
import service.dispatch.reaper
import service.dispatch.turns
from service.keys import Keys
from service.model.words import LANES
from tests.integration.dispatch.driving import Driven


class Ready:
    """The ready set from a worker's side."""

    def __init__(self, client: Any, keys: Keys) -> None:
        self._redis = client
        self._lanes = keys.lanes

    def ids(self, lane: int | None = None) -> set[UUID]:
        """See what is in it, or in one lane of it."""
        lanes = LANES if lane is None else (lane,)
        return {
            UUID(bytes=id) for key in lanes for id in self._redis.zrange(self._lanes[key], 0, -1)
        }

    def pop(self, n: int, lane: int = 2) -> list[UUID]:
        """Take the first `n` ids of a lane."""
        return [UUID(bytes=id) for id, _ in self._redis.zpopmin(self._lanes[lane], n)]


@pytest.fixture
def ready(redis_client: "redis.Redis", keys: Keys) -> Ready:
    return Ready(redis_client, keys)


@pytest.fixture
def drive(dsn: str, redis_url: str) -> Iterator[Callable[..., Driven]]:
    """Make dispatchers; without a `redis_url` of their own they take the test's."""
    with ExitStack() as stack:
        yield lambda **kw: stack.enter_context(Driven(dsn, kw.pop("redis_url", redis_url), **kw))


@pytest.fixture
def driven(drive: Callable[..., Driven]) -> Driven:
    """Give a dispatcher that does nothing by itself."""
    return drive()


@pytest.fixture
def no_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing but a bell or a due row end a sleep: the tick would hide that they did not."""
    monkeypatch.setattr(service.dispatch.offers, "TICK_S", 300.0)
    monkeypatch.setattr(service.dispatch.turns, "SLEEP_MAX_S", 300.0)


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a leader reap at once, and soon after the server's start."""
    monkeypatch.setattr(service.dispatch.reaper, "SETTLE_GRACE_S", 0.0)


@pytest.fixture
def events() -> Iterator[list[Any]]:
    """Collect what is logged, as (event, fields)."""
    records: list[Any] = []

    def keep(message: Any) -> None:
        records.append((message.record["message"], message.record["extra"]))

    sink = logger.add(keep, level="INFO")
    yield records
    logger.remove(sink)
