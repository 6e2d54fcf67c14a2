"""A server at REDIS_URL that answers what nobody asked for is as good as none."""

import asyncio
import re
from contextlib import closing, suppress

import pytest
from loguru import logger
from prometheus_client import CollectorRegistry

from service.config.settings import Settings
from service.dispatch.ready_set import ReadySet
from service.doctor.redis import redis_findings
from service.errors import RedisAway
from service.keys import Keys
from service.metrics import WorkerMetrics
from service.names.guard import LOOPBACK
from tests.integration.dispatch.driving import Driven
from tests.ledger import enqueue
from tests.strange_redis import USUAL, strange_redis
from tests.waiting import wait_for
from workers.ready_set import ReadySet as WorkersEnd
from workers.runner import Worker

LEDGER = "0123456789abcdef"
ID = bytes(16)
STRANGE = {
    "OK": b"+OK\r\n",
    "a number": b":5\r\n",
    "a negative number": b":-5\r\n",
    "a fraction": b",1.5\r\n",
    "no number": b",nan\r\n",
    "yes": b"#t\r\n",
    "nothing": b"$-1\r\n",
    "a text": b"$2\r\nxy\r\n",
    "a list of nothing": b"*0\r\n",
    "a list of texts": b"*2\r\n$1\r\nx\r\n$1\r\ny\r\n",
    "a key and texts": b"*2\r\n$1\r\nx\r\n*1\r\n$2\r\nxy\r\n",
    "a key and members without scores": b"*2\r\n$1\r\nx\r\n*1\r\n*1\r\n$2\r\nxy\r\n",
    "a key and scores without members": b"*2\r\n$1\r\nx\r\n*1\r\n*2\r\n:1\r\n:1\r\n",
    "a map": b"%1\r\n$1\r\nx\r\n$1\r\ny\r\n",
    "a set": b"~1\r\n$1\r\nx\r\n",
    "errors in a list": b"*2\r\n-ERR x\r\n-ERR y\r\n",
    "an error that is no text": b"-ERR \xff\xfe\r\n",
    "figures that are none": b"$27\r\nused_memory:x\r\nmaxmemory:-1\r\n",
    "no protocol at all": b"220 mail.example ESMTP\r\n",
}


@pytest.fixture
def events():
    """Collect the names of what is logged."""
    names = []
    sink = logger.add(lambda line: names.append(line.record["message"]), level="INFO")
    yield names
    logger.remove(sink)


@pytest.fixture
def server():
    with strange_redis() as server:
        yield server


async def leaders_round(url):
    """Call each method of the leader's end; give what was no RedisAway."""
    ready_set = ReadySet(url)
    ready_set.use(LEDGER)
    lanes = {2: {ID: 0.0}}
    faults = []
    for call in (
        ready_set.survey, lambda: ready_set.add(lanes), lambda: ready_set.gone(lanes),
        ready_set.probe, ready_set.keep, ready_set.is_offered_to, ready_set.memory,
        ready_set.checkup,
    ):  # fmt: skip
        try:
            await call()
        except RedisAway:
            pass
        except Exception as error:
            faults.append(error)
    await ready_set.close()
    return faults


def workers_round(url):
    """Call each method of the workers' end. Raises what is no RedisAway."""
    with closing(WorkersEnd(url)) as ready_set:
        ready_set.use(LEDGER)
        for call in (lambda: ready_set.pop(10, 0.01), ready_set.is_offered_to):
            with suppress(RedisAway):
                call()


@pytest.mark.parametrize("answer", STRANGE.values(), ids=STRANGE)
def test_an_answer_of_another_kind_is_redis_away(server, answer):
    for verb in (*USUAL, "CLIENT", "SELECT"):
        server.answers = {verb: answer}
        assert asyncio.run(leaders_round(server.url)) == [], verb
        workers_round(server.url)


def test_what_is_as_usual_is_read(server):
    assert asyncio.run(leaders_round(server.url)) == []
    with closing(WorkersEnd(server.url)) as ready_set:
        ready_set.use(LEDGER)
        assert ready_set.pop(10, 0.01) == []
        assert ready_set.is_offered_to() is False
    assert server.connections == 2


@pytest.mark.parametrize("answer", [b":5\r\n", b"*0\r\n", b"+OK\r\n"])
def test_a_pop_with_another_answer_is_made_again_on_a_new_connection(server, answer):
    with closing(WorkersEnd(server.url)) as ready_set:
        ready_set.use(LEDGER)
        assert ready_set.pop(10, 0.01) == []
        server.answers = {"BZMPOP": answer}
        with pytest.raises(RedisAway, match="none of Redis"):
            ready_set.pop(10, 0.01)
        server.answers = {}
        assert ready_set.pop(10, 0.01) == []
    assert server.connections == 2


@pytest.mark.parametrize(
    ("verb", "answer"), [("ZCARD", b":-5\r\n"), ("ZMSCORE", b":5\r\n"), ("UNLINK", b"+OK\r\n")]
)
def test_a_survey_with_another_answer_is_made_again_on_a_new_connection(server, verb, answer):
    async def surveyed():
        ready_set = ReadySet(server.url)
        ready_set.use(LEDGER)
        await ready_set.survey()
        server.answers = {verb: answer}
        with pytest.raises(RedisAway, match="none of Redis"):
            await ready_set.survey()
        server.answers = {}
        await ready_set.survey()
        await ready_set.close()

    asyncio.run(surveyed())
    assert server.connections == 2


@pytest.mark.parametrize("name", ["OK", "a number", "a negative number", "a list of nothing"])
def test_nothing_waits_for_a_server_that_always_answers_the_same(db, dsn, server, events, *, name):
    server.answers = dict.fromkeys(USUAL.keys() - {"HELLO"}, STRANGE[name])
    registry = CollectorRegistry()
    settings = Settings(database_url=dsn, redis_url=server.url, webhook_allow=LOOPBACK)
    worker = Worker(settings, WorkerMetrics(registry))
    worker.start()
    with Driven(dsn, server.url) as driven, driven.running():
        enqueue(db, 10)
        wait_for(lambda: registry.get_sample_value(
            "worker_jobs_sent_total", {"channel": "log"}) == 10)  # fmt: skip
        wait_for(lambda: driven.metric("dispatcher_redis_up") == 0)
        wait_for(lambda: driven.turns._dispatching.lasts)
        wait_for(lambda: worker._claimer._hints._outage.lasts)
    worker.stop()
    assert registry.get_sample_value("worker_loop_errors_total", {"thread": "claimer"}) == 0
    assert not {"dispatch_failed", "unexpected_error", "job_failed"} & set(events)
    (finding,) = asyncio.run(redis_findings(server.url, LEDGER, True))
    assert "none of Redis" in finding.found
    assert "REDIS_URL" in finding.advice


def test_nobody_waits_for_a_server_whose_answers_take_long(db, dsn, server, events, *, monkeypatch):
    monkeypatch.setattr("workers.hints.LATE_RETRIES", 1.0)
    registry = CollectorRegistry()
    settings = Settings(database_url=dsn, redis_url=server.url, webhook_allow=LOOPBACK)
    worker = Worker(settings, WorkerMetrics(registry))
    server.late_s = {"BZMPOP": 1.0}
    worker.start()
    wait_for(lambda: worker._claimer._hints._outage.lasts)
    enqueue(db, 10)
    wait_for(lambda: registry.get_sample_value(
        "worker_jobs_sent_total", {"channel": "log"}) == 10)  # fmt: skip
    assert worker._claimer._hints._outage.lasts
    server.late_s = {}
    wait_for(lambda: not worker._claimer._hints._outage.lasts)
    worker.stop()
    assert [name for name in events if name in ("away", "back")][:2] == ["away", "back"]


def test_the_dispatcher_and_the_doctor_tell_of_answers_that_take_long(dsn, server, monkeypatch):
    monkeypatch.setattr("service.dispatch.jobs.REDIS_INTERVAL_S", 0.05)
    server.late_s = {"BZMPOP": 0.5}
    with Driven(dsn, server.url) as driven, driven.running():
        wait_for(lambda: driven.metric("dispatcher_redis_up") == 0)
        server.late_s = {}
        wait_for(lambda: driven.metric("dispatcher_redis_up") == 1)
    server.late_s = {"ZCARD": 0.5}
    finding = asyncio.run(redis_findings(server.url, LEDGER, True))[0]
    assert finding.what == "Redis"
    assert re.fullmatch(r"an answer takes [0-9.]+ s", finding.found)
    assert "slowlog" in finding.advice


def no_room(*_, **__):
    raise MemoryError


def test_an_answer_that_no_memory_holds_is_redis_away(server, monkeypatch):
    with closing(WorkersEnd(server.url)) as ready_set:
        ready_set.use(LEDGER)
        assert ready_set.pop(10, 0.01) == []
        with monkeypatch.context() as patch, pytest.raises(RedisAway, match="MemoryError"):
            patch.setattr("redis.Redis.parse_response", no_room)
            ready_set.pop(10, 0.01)
        assert ready_set.pop(10, 0.01) == []
    assert server.connections == 2
    monkeypatch.setattr("redis.asyncio.client.Pipeline.parse_response", no_room)
    assert asyncio.run(leaders_round(server.url)) == []


def test_no_value_whose_length_others_choose_is_read(redis_url, redis_client):
    keys = Keys(LEDGER)
    redis_client.set(keys.leader, "x" * (1 << 20))
    redis_client.zadd(keys.lanes[0], {"x" * (1 << 20): 0})
    before = sent_bytes(redis_client)
    assert asyncio.run(leaders_round(redis_url)) == []
    assert sent_bytes(redis_client) - before < 1 << 18
    assert redis_client.zcard(keys.leader) == 1
    redis_client.unlink(keys.leader, *keys.lanes.values())


def sent_bytes(client):
    """Say how much the server has sent to all of its clients."""
    return client.info("stats")["total_net_output_bytes"]
