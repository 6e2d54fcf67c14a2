"""A Redis whose answers take long is as good as none; one answer that does is not."""

from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

import workers.hints
from service.errors import RedisAway
from service.metrics import WorkerMetrics
from service.redis_answers import LATE_MIN, LATE_S
from workers.hints import (
    ASK_S,
    BLOCK_S,
    LATE_MAX_S,
    LATE_RETRIES,
    NOTHING,
    REDIS_RETRY_MIN_S,
    Hints,
)

LATE = 2 * LATE_S
ID = "0190" * 8


class TimedRedis:
    """A ready set and the clock of those who ask it. Without ids, it waits as long as it may.

    `late_s`: so much later comes each answer from now on; `holds`: the ids of the next pop.
    """

    is_urgent = False
    dropped = 0

    def __init__(self):
        self.now = 1000.0
        self.late_s = 0.0
        self.holds = []
        self.waits = []  # of each pop
        self.fault = None

    def pop(self, limit, block_s):
        self.waits.append(block_s)
        if self.fault:
            raise RedisAway(self.fault)
        ids, self.holds = self.holds, []
        self.now += self.late_s + (0 if ids else block_s)
        return ids

    def is_offered_to(self):
        return True


@pytest.fixture
def redis(monkeypatch):
    redis = TimedRedis()
    monkeypatch.setattr(workers.hints, "time", SimpleNamespace(monotonic=lambda: redis.now))
    return redis


@pytest.fixture
def hints(redis):
    return Hints(redis, WorkerMetrics(CollectorRegistry()))


def said(events):
    return [(record["message"], record["extra"].get("reason")) for record in events]


AWAY = ("away", "its answers take long")


def go_away(hints, redis):
    """Let answers be late until it counts as away."""
    redis.late_s = LATE
    for _ in range(LATE_MIN):
        hints.next(10)


def test_late_answers_in_a_row_count_as_away(hints, redis, events):
    redis.late_s = LATE
    for _ in range(LATE_MIN - 1):
        assert hints.next(10) in (NOTHING, None)
        assert said(events) == []
    assert hints.next(10) is None
    assert said(events) == [AWAY]
    assert redis.waits == [BLOCK_S] + [ASK_S] * (LATE_MIN - 1)
    assert hints.next(10) is None
    assert len(redis.waits) == LATE_MIN  # it is left alone for a while


def test_late_answers_now_and_then_do_not_count(hints, redis, events):
    for _ in range(5):
        redis.late_s = LATE
        for _ in range(LATE_MIN - 1):
            hints.next(10)
        redis.late_s = 0.0
        hints.next(10)
    assert said(events) == []
    assert len(redis.waits) == 5 * LATE_MIN


def test_ids_that_came_after_a_while_are_no_late_answer(hints, redis, events):
    for _ in range(5):
        redis.holds, redis.late_s = [ID], BLOCK_S
        assert hints.next(10) == [ID]
        redis.late_s = 0.0
        hints.next(10)
    assert said(events) == []


def test_late_answers_count_also_while_all_of_them_bring_ids(hints, redis, events):
    redis.late_s = LATE
    for _ in range(1 + LATE_MIN):  # of the first one, the ids may have come late
        redis.holds = [ID]
        assert hints.next(10) == [ID]  # none of them is lost
    assert said(events) == [AWAY]
    assert hints.next(10) is None


def test_a_late_probe_keeps_it_away_and_a_prompt_one_brings_it_back(hints, redis, events):
    go_away(hints, redis)
    for _ in range(3):
        redis.now += LATE_RETRIES * LATE + REDIS_RETRY_MIN_S * 4
        assert hints.next(10) is None
    assert redis.waits == [BLOCK_S] + [ASK_S] * (LATE_MIN - 1 + 3)
    redis.now += LATE_RETRIES * LATE + REDIS_RETRY_MIN_S * 8
    redis.late_s = 0.0
    hints.next(10)
    assert said(events) == [AWAY, ("back", None)]
    hints.next(10)
    assert redis.waits[-1] == BLOCK_S


def test_a_late_probe_after_an_error_keeps_it_away(hints, redis, events):
    redis.fault = "gone"
    assert hints.next(10) is None
    redis.fault, redis.late_s = None, LATE
    redis.now += REDIS_RETRY_MIN_S
    redis.holds = [ID]
    assert hints.next(10) == [ID]
    assert said(events) == [("away", "gone")]
    assert hints.next(10) is None


def test_asking_a_slow_redis_takes_a_twentieth_of_the_time(hints, redis):
    go_away(hints, redis)
    redis.late_s = 1.5
    asked, began = len(redis.waits), redis.now
    while redis.now < began + 600:
        redis.now += 0.05  # a claim
        hints.next(10)
    assert (len(redis.waits) - asked) * redis.late_s <= 600 / LATE_RETRIES


def test_a_process_that_stood_still_for_long_asks_again_soon(hints, redis):
    go_away(hints, redis)
    redis.now += LATE_RETRIES * LATE_MAX_S
    redis.late_s = 6000.0
    hints.next(10)
    asked = len(redis.waits)
    redis.now += LATE_RETRIES * LATE_MAX_S
    hints.next(10)
    assert len(redis.waits) == asked + 1
