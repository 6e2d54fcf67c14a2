"""What Redis refuses us is tried, named, and only costs speed."""

import asyncio
import re
from contextlib import closing
from pathlib import Path

import pytest
import redis
from prometheus_client import CollectorRegistry

from service.config.settings import Settings
from service.doctor.redis import redis_findings, server_finding
from service.metrics import WorkerMetrics
from service.names.guard import LOOPBACK
from tests.integration.dispatch.driving import Driven
from tests.integration.dispatch.servers import Valkey, free_port
from tests.ledger import enqueue
from tests.waiting import wait_for
from workers.runner import Worker

ENV_EXAMPLE = (Path(__file__).resolve().parents[2] / ".env.example").read_text()
RULES = " ".join(re.findall(r"ACL SETUSER notify (.*)", ENV_EXAMPLE)).split()
NEEDED = ("unlink", "zadd", "expire", "zcard", "zmscore", "bzmpop")
LEDGER = "0123456789abcdef"


def findings(url, leads=False, ledger=LEDGER):
    return asyncio.run(redis_findings(url, ledger, leads))


def with_rules(valkey, *rules):
    """Make the user `notify` with these rules; give its URL."""
    with closing(redis.Redis.from_url(valkey.url)) as admin:
        admin.execute_command("ACL", "SETUSER", "notify", "reset", "on", ">password", *rules)
    return valkey.url.replace("redis://", "redis://notify:password@")


@pytest.fixture
def valkey(tmp_path):
    with Valkey(tmp_path) as valkey:
        yield valkey


def test_a_user_with_the_rights_of_env_example_is_enough(db, dsn, valkey, monkeypatch):
    monkeypatch.setattr("workers.hints.IDLE_S", 3600.0)  # nobody looks for what is due
    url = with_rules(valkey, *RULES)
    registry = CollectorRegistry()
    settings = Settings(database_url=dsn, redis_url=url, webhook_allow=LOOPBACK)
    worker = Worker(settings, WorkerMetrics(registry))
    worker.start()
    with Driven(dsn, url) as driven, driven.running():
        enqueue(db, 10)
        wait_for(lambda: registry.get_sample_value(
            "worker_jobs_sent_total", {"channel": "log"}) == 10)  # fmt: skip
        wait_for(lambda: driven.metric("dispatcher_redis_up") == 1)
        assert driven.metric("dispatcher_redis_memory_bytes") > 0
        assert [finding.advice for finding in findings(url)] == ["", ""]
    worker.stop()


@pytest.mark.parametrize("verb", NEEDED)
def test_without_any_one_verb_it_is_named(dsn, valkey, verb):
    url = with_rules(valkey, *RULES, f"-{verb}")
    (finding,) = findings(url)
    assert finding.found.startswith(f"{verb.upper()} is refused")
    assert "ACL" in finding.advice
    with Driven(dsn, url) as driven:
        driven.call(driven.jobs.figures.read_redis(driven.offering))
        assert driven.metric("dispatcher_redis_up") == 0
        assert driven.metric("dispatcher_redis_memory_bytes") > 0


@pytest.mark.parametrize("rule", ["-info", "-config", "-client|setinfo"])
def test_what_only_tells_us_something_may_be_refused(valkey, rule):
    url = with_rules(valkey, *RULES, rule)
    assert [finding.advice for finding in findings(url)] == ["", ""]


def test_a_connection_that_may_not_say_its_name_is_named(valkey):
    (finding,) = findings(with_rules(valkey, *RULES, "-client|setname"))
    assert "client|setname" in finding.found
    assert "ACL" in finding.advice


def test_keys_of_another_name_are_not_ours_to_use(valkey):
    (finding,) = findings(with_rules(valkey, "~other:*", *RULES[RULES.index("-@all") :]))
    assert "ACL" in finding.advice


def test_a_wrong_password_is_an_error_and_no_traceback(valkey):
    url = with_rules(valkey, *RULES).replace("password", "wrong")
    (finding,) = findings(url)
    assert "REDIS_URL" in finding.advice


@pytest.mark.slow  # seconds pass
def test_a_replica_is_named(tmp_path, valkey):
    host, port = valkey.url.removeprefix("redis://").removesuffix("/0").split(":")
    (tmp_path / "replica").mkdir()
    with Valkey(tmp_path / "replica", "--replicaof", f"{host} {port}") as replica:
        with closing(redis.Redis.from_url(replica.url)) as client:
            wait_for(lambda: client.info("replication")["master_link_status"] == "up")
        (finding,) = findings(replica.url)
        assert "replica" in finding.advice
        valkey.stop()
        (finding,) = findings(replica.url)
        assert "replica" in finding.advice


def test_a_full_memory_is_named(valkey):
    with closing(redis.Redis.from_url(valkey.url)) as admin:
        admin.config_set("maxmemory", 1)
        (finding,) = findings(valkey.url)
        assert "full" in finding.advice
        admin.config_set("maxmemory", 0)
    assert all(not finding.advice for finding in findings(valkey.url))


def cluster_node(directory):
    """Make a node; its second port is free, too."""
    directory.mkdir()
    return Valkey(directory, "--cluster-enabled", "yes", "--cluster-port", str(free_port()))


def test_a_node_of_a_cluster_without_our_slot_is_named(tmp_path):
    with cluster_node(tmp_path / "one") as node, cluster_node(tmp_path / "other") as other:
        (finding,) = findings(node.url)
        assert "CLUSTERDOWN" in finding.found
        assert "cluster" in finding.advice
        with (
            closing(redis.Redis.from_url(node.url)) as admin,
            closing(redis.Redis.from_url(other.url)) as owner,
        ):
            owner.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            host, port = other.url.removeprefix("redis://").removesuffix("/0").split(":")
            bus = owner.config_get("cluster-port")["cluster-port"]
            admin.execute_command("CLUSTER", "MEET", host, port, bus)
            (finding,) = wait_for(lambda: [f for f in findings(node.url) if "MOVED" in f.found])
        assert f"{host}:{port}" in finding.found
        assert "name that node" in finding.advice
        wait_for(lambda: all(not finding.advice for finding in findings(other.url)))


@pytest.mark.parametrize("verb", ["bzmpop", "zadd", "unlink"])
def test_a_command_that_is_renamed_is_named(tmp_path, verb):
    with Valkey(tmp_path, "--rename-command", verb, "") as valkey:
        (finding,) = findings(valkey.url)
        assert finding.found.startswith(verb.upper())
        assert "renamed" in finding.advice


@pytest.mark.parametrize(
    ("version", "is_old"),
    [("6.2.14", True), ("7.0.0", False), ("10.0.0", False), ("255.255.255", False), ("", False)],
)
def test_versions_are_compared_as_numbers(version, is_old):
    assert bool(server_finding(version, "noeviction").advice) is is_old


def test_a_dispatcher_that_offers_elsewhere_is_noticed(db, dsn, redis_url, keys, monkeypatch):
    monkeypatch.setattr("workers.hints.LOOK_EVERY_S", 0.0)
    other = re.sub(r"/0$", "/1", redis_url)
    registry = CollectorRegistry()
    worker = Worker(
        Settings(database_url=dsn, redis_url=other, webhook_allow=LOOPBACK), WorkerMetrics(registry)
    )
    worker.start()

    def alone():
        return registry.get_sample_value("worker_redis_unoffered")

    wait_for(lambda: enqueue(db) and alone() == 1)
    ledger = keys.leader.partition(":")[2].partition("}")[0]
    with Driven(dsn, redis_url) as driven:
        driven.offer()
        (_, finding) = asyncio.run(redis_findings(other, ledger, leads=True))
        assert "same REDIS_URL" in finding.advice
        (_, finding) = asyncio.run(redis_findings(redis_url, ledger, leads=True))
        assert not finding.advice
    with Driven(dsn, other) as driven, driven.running():
        wait_for(lambda: enqueue(db) and alone() == 0)
    worker.stop()
