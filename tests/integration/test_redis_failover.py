"""A primary of Redis dies: with sentinels, with a name that moves, in a cluster."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any

import pytest
import redis
from prometheus_client import CollectorRegistry
from redis.crc import key_slot

from service.config.redis_url import NO_PRIMARY
from service.config.settings import Settings
from service.errors import RedisAway
from service.keys import Keys
from service.metrics import WorkerMetrics
from service.names.guard import LOOPBACK
from tests.integration.dispatch.driving import Driven
from tests.integration.dispatch.servers import Sentinel, Valkey, free_port
from tests.integration.test_redis_rights import findings
from tests.ledger import enqueue
from tests.waiting import wait_for
from workers.ready_set import ReadySet
from workers.runner import Worker

OURS = {"notify-disp", "notify-work"}


@contextmanager
def delivering(db: Any, dsn: str, url: str) -> Iterator[None]:
    """Run a dispatcher and a worker; in the end all is sent, each by its first attempt."""
    settings = Settings(database_url=dsn, redis_url=url, webhook_allow=LOOPBACK)
    worker = Worker(settings, WorkerMetrics(CollectorRegistry()))
    worker.start()
    try:
        with Driven(dsn, url) as driven, driven.running():
            yield
            wait_for(lambda: unsent(db) == 0)
    finally:
        worker.stop()
    (enqueued,) = db.execute("select count(*) from notify.notifications").fetchone()
    (attempts,) = db.execute("select count(*) from notify.attempts").fetchone()
    assert attempts == enqueued


def unsent(db: Any) -> int:
    row = db.execute("select count(*) from notify.notifications where status <> 'sent'")
    return int(row.fetchone()[0])


def connected(url: str) -> set[str]:
    """Name those of ours who are connected."""
    with closing(redis.Redis.from_url(url)) as client, suppress(redis.RedisError):
        return OURS & {entry["name"] for entry in client.client_list()}
    return set()


def subdirectory(path: Any, name: str) -> Any:
    (path / name).mkdir()
    return path / name


@pytest.fixture
def replicated(tmp_path: Any) -> Iterator[tuple[Valkey, Valkey]]:
    """Give a primary, and its replica on another address with the same port."""
    at_once = ("--repl-diskless-sync-delay", "0")
    with Valkey(subdirectory(tmp_path, "primary"), *at_once) as primary:
        replica = Valkey(
            subdirectory(tmp_path, "replica"), "--replicaof", f"127.0.0.1 {primary.port}",
            "--replica-announce-ip", "127.0.0.2", host="127.0.0.2", port=primary.port,
        )  # fmt: skip
        with replica:
            with closing(redis.Redis.from_url(replica.url)) as client:
                wait_for(lambda: client.info("replication")["master_link_status"] == "up")
            yield primary, replica


@contextmanager
def sentinels(tmp_path: Any, primary: Valkey, *lines: str) -> Iterator[list[Sentinel]]:
    """Run three, which know of each other and of the replica."""
    with ExitStack() as stack:
        three = [
            Sentinel(subdirectory(tmp_path, name), primary.port, "asked", *lines)
            for name in ("one", "two", "three")
        ]
        for sentinel in three:
            stack.enter_context(sentinel)
        for sentinel in three:
            with closing(redis.Redis.from_url(sentinel.url)) as client:
                wait_for(lambda client=client: knows_all(client))
        yield three


def knows_all(client: Any) -> bool:
    seen = client.sentinel_master("notify")
    return bool(seen["num-other-sentinels"] == 2 and seen["num-slaves"] == 1)


def url_of(three: list[Sentinel], user: str = "", query: str = "sentinel_password=asked") -> str:
    hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in three)
    return f"redis+sentinel://{user}{hosts}/notify?{query}"


@pytest.mark.slow  # sentinels take seconds to agree
def test_the_primary_that_sentinels_elect_is_used(db, dsn, tmp_path, replicated):
    primary, replica = replicated
    with sentinels(tmp_path, primary) as three:
        url = url_of(three)
        with delivering(db, dsn, url):
            enqueue(db, 20)
            wait_for(lambda: connected(primary.url) == OURS)
            primary.stop()
            three[0].stop()  # which is asked first
            enqueue(db, 20)
            wait_for(lambda: connected(replica.url) == OURS)
            enqueue(db, 20)
        assert [finding.advice for finding in findings(url)] == ["", ""]


@pytest.mark.slow  # as above
def test_a_primary_that_is_demoted_and_lives_is_left(db, dsn, tmp_path, replicated):
    primary, replica = replicated
    with sentinels(tmp_path, primary) as three, delivering(db, dsn, url_of(three)):
        enqueue(db, 20)
        wait_for(lambda: connected(primary.url) == OURS)
        with closing(redis.Redis.from_url(three[0].url)) as client:
            client.execute_command("SENTINEL", "FAILOVER", "notify")
        wait_for(lambda: connected(replica.url) == OURS)
        enqueue(db, 20)


@pytest.mark.slow  # they learn of each other within seconds
def test_sentinels_and_primary_have_passwords_of_their_own(tmp_path, replicated):
    primary, _ = replicated
    with closing(redis.Redis.from_url(primary.url)) as admin:
        admin.config_set("requirepass", "p@ss")
    with sentinels(tmp_path, primary, "sentinel auth-pass notify p@ss") as three:
        (found, _) = findings(url_of(three, ":p%40ss@"))
        assert not found.advice
        for wrong in url_of(three, ":wrong@"), url_of(three):
            (found,) = findings(wrong)
            assert "REDIS_URL" in found.advice
        unasked = url_of(three, ":p%40ss@", "")
        (found,) = findings(unasked)
        assert found.found == NO_PRIMARY
        assert "sentinel_password" in found.advice
        ready_set = ReadySet(unasked)
        ready_set.use("0123456789abcdef")
        wait_for(lambda: refusal_of(ready_set) == NO_PRIMARY)
        ready_set.close()


def refusal_of(ready_set: ReadySet) -> str:
    try:
        ready_set.pop(1, 0.001)
    except RedisAway as error:
        return str(error)
    return ""


def test_a_name_that_moves_leads_to_the_new_primary(db, dsn, replicated, resolver):
    primary, replica = replicated
    with delivering(db, dsn, f"redis://primary.test:{primary.port}/0"):
        enqueue(db, 20)
        wait_for(lambda: connected(primary.url) == OURS)
        primary.stop()
        enqueue(db, 20)
        with closing(redis.Redis.from_url(replica.url)) as admin:
            admin.replicaof("NO", "ONE")
        resolver.answers["primary.test"] = ["127.0.0.2"]
        wait_for(lambda: connected(replica.url) == OURS)
        enqueue(db, 20)


def test_while_the_primary_of_a_fixed_address_is_dead_all_is_sent_without_it(db, dsn, replicated):
    primary, _ = replicated
    with delivering(db, dsn, primary.url):
        enqueue(db, 20)
        wait_for(lambda: connected(primary.url) == OURS)
        primary.stop()
        enqueue(db, 20)


@pytest.fixture
def cluster(tmp_path: Any) -> Iterator[list[Valkey]]:
    """Give three nodes that share the slots."""
    with ExitStack() as stack:
        nodes, admins = [], []
        for number in range(3):
            bus = free_port()
            node = Valkey(
                subdirectory(tmp_path, str(number)), "--cluster-enabled", "yes",
                "--cluster-port", str(bus),
            )  # fmt: skip
            nodes.append(stack.enter_context(node))
            admin = stack.enter_context(closing(redis.Redis.from_url(node.url)))
            first, last = number * 16384 // 3, (number + 1) * 16384 // 3 - 1
            admin.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            if admins:
                admins[0].execute_command("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
            admins.append(admin)
        for admin in admins:
            wait_for(lambda admin=admin: is_complete(admin))
        yield nodes


def is_complete(admin: Any) -> bool:
    info = admin.execute_command("CLUSTER", "INFO")
    return b"cluster_state:ok" in info and b"cluster_known_nodes:3" in info


def slots(keys: Keys) -> set[int]:
    return {key_slot(name.encode()) for name in (*keys.lanes.values(), keys.leader, keys.probe)}


def test_all_keys_of_a_ledger_are_on_one_node_of_a_cluster(db, dsn, cluster, keys):
    [slot] = slots(keys)
    owner = cluster[min(slot * 3 // 16384, 2)]
    for node in cluster:
        (found, *_) = findings(node.url, ledger=keys.leader[8:24])
        assert ("MOVED" in found.found) is (node is not owner)
        assert (f":{owner.port}" in found.found) is (node is not owner)
    with delivering(db, dsn, owner.url):
        enqueue(db, 20)
        wait_for(lambda: connected(owner.url) == OURS)
        owner.stop()
        enqueue(db, 20)
