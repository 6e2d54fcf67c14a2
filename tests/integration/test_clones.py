"""A ledger that was copied with due rows in it: not one byte leaves until somebody adopts it."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from prometheus_client import CollectorRegistry
from psycopg.rows import namedtuple_row

import service.dispatch.reaper
import workers.claimer
from service.cli.adopt import adopted
from service.config.settings import Settings
from service.embedded.account import servers_account
from service.embedded.cluster import run
from service.embedded.postgres import EmbeddedPostgres
from service.embedded.programs import postgres_programs
from service.embedded.servers import EmbeddedServers
from service.embedded.state import State
from service.keys import Keys
from service.ledger.migrate import migrate
from service.metrics import WorkerMetrics
from service.names.guard import LOOPBACK
from tests import ledger
from tests.conftest import as_superuser, settle_in
from tests.copies import claim_each_of_before, claim_of_before, declare
from tests.integration.api.serving import serving
from tests.integration.dispatch.driving import Driven
from tests.integration.workers.sink import Sink
from tests.scratch import scratch
from tests.waiting import wait_for
from workers.runner import Worker

STATUSES = "select status, count(*)::integer as n from notify.notifications group by 1"
QUICK: dict[str, Any] = {
    "reaping_interval_mins": 0.01,
    "lease_s": 20.0,
    "shutdown_grace_s": 5.0,
    "retention_days": 30,
    "webhook_allow": LOOPBACK,  # or the guard would keep from the sink what the fuse must keep
}


@pytest.fixture(scope="module")
def servers() -> Iterator[SimpleNamespace]:
    """Run two servers of their own; `first` and `second` are their URLs."""
    with scratch() as one, scratch() as two:
        account = servers_account(Path(one))
        programs = postgres_programs(account, Path(one) / "programs")
        one_servers = EmbeddedServers(Path(one), valkey=False, fast=True)
        two_servers = EmbeddedServers(Path(two), fast=True)
        with one_servers as first, two_servers as second:
            migrate(first.database_url)  # a template for all tests
            yield SimpleNamespace(
                first=Server(first.database_url, one_servers.state),
                second=Server(second.database_url, two_servers.state),
                redis=second.redis_url,
                account=account,
                programs=programs,
            )


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Listen for webhooks."""
    with closing(Sink()) as sink:
        yield sink


@pytest.fixture(params=[True, False], ids=["Redis", "no Redis"])
def redis_url(servers, request) -> str | None:
    """Give the URL of an empty Redis, and then of none."""
    with redis.Redis.from_url(servers.redis) as client:
        client.flushdb()
    return servers.redis if request.param else None


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Let nobody wait long for a lease that has passed, or for an adoption."""
    monkeypatch.setattr(service.dispatch.reaper, "SETTLE_GRACE_S", 0.0)
    monkeypatch.setattr(workers.claimer, "COPY_EVERY_S", 0.2)
    monkeypatch.setattr("service.dispatch.jobs.HOME_INTERVAL_S", 0.2)


class Server:
    """A server: `service` is the URL of our role's own database, `admin` that of its superuser."""

    def __init__(self, service: str, state: State) -> None:
        self.service = service
        self.admin = as_superuser(service, state)

    @contextmanager
    def database(self, name: str, template: str = "template1") -> Iterator[str]:
        """Make a database of our role; give its URL."""
        with psycopg.connect(self.admin, autocommit=True) as admin:
            admin.execute(f"create database {name} template {template} owner notify_app")
            try:
                yield self.service.rpartition("/")[0] + f"/{name}"
            finally:
                admin.execute(f"drop database {name} with (force)")


def connected(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(url, autocommit=True, row_factory=namedtuple_row)


@contextmanager
def original(servers, sink, environment) -> Iterator[str]:
    """Give a ledger that has rows due now, due later, and being sent by a worker that died."""
    with servers.first.database("production", template="notify") as url:
        settle_in(url)
        with connected(url) as db:
            declare(db, environment)
            hook = {"channel": "webhook", "recipient": f"{sink.url}/status/200"}
            ledger.enqueue(db, 5, **hook)
            ledger.enqueue(db, 2, send_at=ledger.ago(db, "-1 day"), **hook)
            lost = ledger.enqueue(db, 3, **hook)
            ledger.claim(db, lost, lease="1 millisecond", environment=environment)
        yield url


def dumped(servers, source: str, target: str) -> None:
    """Copy as people do: pg_dump | psql."""
    dump = subprocess.run(
        [servers.programs / "pg_dump", source], check=True, capture_output=True, timeout=120
    )
    psql = [servers.programs / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", target]
    subprocess.run(psql, input=dump.stdout, check=True, capture_output=True, timeout=120)


@contextmanager
def dump_elsewhere(servers, source):
    with servers.second.database("production") as url:
        dumped(servers, source, url)
        yield url


@contextmanager
def dump_beside(servers, source):
    with servers.first.database("staging") as url:
        dumped(servers, source, url)
        yield url


@contextmanager
def template(servers, source):
    with servers.first.database("staging", template="production") as url:
        yield url


@contextmanager
def base_backup(servers, source, *how):
    """Copy all files of the server, and start a second one on them; with -R, as a replica."""
    with scratch() as directory, closing(State(Path(directory))) as state:
        home = state.directory / "postgres"
        servers.account.own(home)
        run(
            servers.account, servers.programs / "pg_basebackup",
            "-d", servers.first.admin, "-D", home / "data", "-c", "fast", "-N", *how,
        )  # fmt: skip
        postgres = EmbeddedPostgres(state, servers.account, fast=True)
        try:
            postgres.launch()
            postgres.wait_ready()
            yield moved_to(source, postgres.url)
        finally:
            postgres.stop()


def moved_to(url: str, other: str) -> str:
    """Give the URL of the same database, as the same role, on another server."""
    ours, theirs = urlsplit(url), urlsplit(other)
    user = ours.netloc.rpartition("@")[0]
    return ours._replace(netloc=f"{user}@{theirs.hostname}:{theirs.port}").geturl()


@contextmanager
def roles(url: str, redis_url: str | None, environment: str | None) -> Iterator[SimpleNamespace]:
    """Run an API, a dispatcher and a worker, as somebody does who starts a copy."""
    registry = CollectorRegistry()
    chosen = QUICK | {"environment": environment}
    with ExitStack() as stack:
        driven = stack.enter_context(Driven(url, redis_url, **chosen))
        api = stack.enter_context(serving(url, environment=environment))
        settings = Settings(database_url=url, redis_url=redis_url, **chosen)
        worker = Worker(settings, WorkerMetrics(registry))
        worker.start()
        stack.callback(worker.stop)
        stack.enter_context(driven.running())
        yield SimpleNamespace(
            api=api,
            dispatcher=driven,
            is_copy=lambda: (
                registry.get_sample_value("worker_ledger_is_copy"),
                driven.metric("dispatcher_ledger_is_copy"),
            ),
        )


def runs_of(dispatcher: Driven, job: str) -> float:
    return dispatcher.metric("job_last_success_timestamp_seconds", name=job)


def adopt(url: str, environment: str | None, *, discards: bool) -> dict[str, Any]:
    settings = Settings(database_url=url, environment=environment)
    return asyncio.run(adopted(settings, discards=discards))


def statuses(db) -> dict[str, int]:
    return {r.status: r.n for r in db.execute(STATUSES)}


def stays_silent(
    url: str, redis_url: str | None, environment: str | None, sink: Sink, *, sending: int = 3
) -> None:
    """Run every role on a copy; nothing is sent, nothing moves, and everybody says so."""
    with roles(url, redis_url, environment) as ran, connected(url) as db:
        wait_for(lambda: ran.is_copy() == (1, 1))
        began = runs_of(ran.dispatcher, "reaper")
        accepted = ran.api.post(
            {"channel": "webhook", "recipient": f"{sink.url}/status/200", "payload": {}}
        )
        assert accepted.status == 202
        ready = ran.api.get("/readyz")
        assert (ready.status, ready.json["status"]) == (200, "degraded")
        assert "notify adopt --discard" in ready.json["hint"]
        assert claim_of_before(db) == claim_each_of_before(db) == []
        wait_for(lambda: runs_of(ran.dispatcher, "reaper") > began)
        wait_for(lambda: runs_of(ran.dispatcher, "gauges") > began)
        assert statuses(db) == {"queued": 8} | ({"sending": sending} if sending else {})
        assert sink.requests == []
        if redis_url:
            with redis.Redis.from_url(redis_url) as client:
                keys = Keys(db.execute("select id from notify.ledger()").fetchone().id)
                assert not client.exists(keys.leader, *keys.lanes.values())


# How it was copied, what its home was called, and the ENVIRONMENT of who starts the copy.
CASES = {
    "a dump elsewhere, no name anywhere": (dump_elsewhere, None, None),
    "a dump elsewhere, a name that is new": (dump_elsewhere, None, "staging"),
    "a dump elsewhere, another name": (dump_elsewhere, "production", "staging"),
    "a dump elsewhere, no name": (dump_elsewhere, "production", None),
    "a dump beside, no name anywhere": (dump_beside, None, None),
    "a dump beside, another name": (dump_beside, "production", "staging"),
    "a template, no name anywhere": (template, None, None),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_nothing_leaves_a_copy(servers, sink, redis_url, case):
    copied, declared, environment = case
    with original(servers, sink, declared) as source, copied(servers, source) as url:
        migrate(url, settings=Settings(environment=environment))
        stays_silent(url, redis_url, environment, sink)


def test_what_is_adopted_is_sent_by_the_roles_that_run(servers, sink, redis_url):
    with original(servers, sink, None) as source, dump_elsewhere(servers, source) as url:
        with roles(url, redis_url, "staging") as ran, connected(url) as db:
            wait_for(lambda: ran.is_copy() == (1, 1))
            assert adopt(url, "staging", discards=False)["done"] == "adopted"
            wait_for(lambda: statuses(db) == {"sent": 8, "queued": 2})
            assert ran.is_copy() == (0, 0)
            assert ran.api.get("/readyz").json == {"status": "ready", "missing": []}
        assert len(sink.requests) == 8


def test_what_the_original_sends_is_discarded_and_what_came_later_is_sent(servers, sink, redis_url):
    with (
        original(servers, sink, "production") as source,
        dump_elsewhere(servers, source) as url,
        roles(url, redis_url, "staging") as ran,
        connected(url) as db,
    ):
        wait_for(lambda: ran.is_copy() == (1, 1))
        own = {"channel": "webhook", "recipient": f"{sink.url}/status/200/own", "payload": {}}
        assert ran.api.post(own).status == 202
        did = adopt(url, "staging", discards=True)
        assert (did["done"], did["discarded"]) == ("adopted", 10)
        wait_for(lambda: statuses(db) == {"cancelled": 10, "sent": 1})
        assert [r.path for r in sink.requests] == ["/status/200/own"]


@pytest.mark.slow
def test_a_base_backup_under_another_name_sends_nothing_and_takes_no_hint_of_its_original(
    servers, sink
):
    """It has the server's identifier, the database's name and the ledger's id of its original."""
    with redis.Redis.from_url(servers.redis) as client:
        client.flushdb()
    with original(servers, sink, "production") as source, base_backup(servers, source) as url:
        named = {}
        for each in (source, url):
            with connected(each) as db:
                named[each] = db.execute("select id from notify.ledger()").fetchone().id
        assert named[source] == named[url]
        with Driven(source, servers.redis, environment="production", **QUICK) as at_home:
            at_home.call(at_home.jobs.fuse.begin())
            offered = at_home.offer()
            assert offered == 5
            with (
                roles(url, servers.redis, "staging") as ran,
                connected(url) as db,
                redis.Redis.from_url(servers.redis) as client,
            ):
                wait_for(lambda: ran.is_copy() == (1, 1))
                began = runs_of(ran.dispatcher, "gauges")
                wait_for(lambda: runs_of(ran.dispatcher, "gauges") > began)
                keys = Keys(named[source])
                assert sum(client.zcard(lane) for lane in keys.lanes.values()) == offered
                assert at_home.offer() == 0
                assert statuses(db) == {"queued": 7, "sending": 3}
                assert sink.requests == []
                did = adopt(url, "staging", discards=True)
                assert (did["done"], did["discarded"]) == ("adopted", 10)
                assert statuses(db) == {"cancelled": 10}
                assert db.execute("select id from notify.ledger()").fetchone().id != named[url]
            assert sink.requests == []


@pytest.mark.slow
def test_a_base_backup_that_carries_an_old_notice_discards_by_its_own(servers, sink):
    with original(servers, sink, "production") as source:
        with connected(source) as db:
            db.execute("select * from notify.home('production')")
            db.execute("select notify.notice_copy('staging')")
            hook = {"channel": "webhook", "recipient": f"{sink.url}/status/200"}
            ledger.enqueue(db, 4, **hook)
        with base_backup(servers, source) as url, connected(url) as db:
            assert adopt(url, "staging", discards=True)["discarded"] == 14
            assert statuses(db) == {"cancelled": 14}


@pytest.mark.slow
@pytest.mark.parametrize("environment", [None, "production"])
def test_a_replica_that_is_promoted_goes_on_by_itself(servers, sink, environment):
    with (
        original(servers, sink, environment) as source,
        base_backup(servers, source, "-R") as url,
    ):
        with psycopg.connect(moved_to(servers.first.admin, url), autocommit=True) as admin:
            admin.execute("select pg_promote()")
        with roles(url, servers.redis, environment) as ran, connected(url) as db:
            wait_for(lambda: statuses(db) == {"sent": 8, "queued": 2})
            assert ran.is_copy() == (0, 0)
        assert len(sink.requests) == 8


def test_where_the_name_is_the_same_a_restored_ledger_goes_on(servers, sink, redis_url):
    with (
        original(servers, sink, "production") as source,
        dump_elsewhere(servers, source) as url,
    ):
        said: list[str] = []
        migrate(url, settings=Settings(environment="production"), say=said.append)
        assert said == ["production is on another server, or its database has another name"]
        with roles(url, redis_url, "production") as ran, connected(url) as db:
            wait_for(lambda: statuses(db) == {"sent": 8, "queued": 2})
            assert ran.is_copy() == (0, 0)
        assert len(sink.requests) == 8


def test_one_wrong_worker_is_refused_alone(servers, sink, redis_url):
    with original(servers, sink, "production") as source, connected(source) as db:
        registry = CollectorRegistry()
        wrong = Settings(
            database_url=source, redis_url=redis_url, **(QUICK | {"environment": "prod"})
        )
        stray = Worker(wrong, WorkerMetrics(registry))
        stray.start()
        try:
            wait_for(lambda: registry.get_sample_value("worker_ledger_is_copy") == 1)
            with roles(source, redis_url, "production") as ran:
                wait_for(lambda: statuses(db) == {"sent": 8, "queued": 2})
                assert ran.is_copy() == (0, 0)
        finally:
            stray.stop()
        assert registry.get_sample_value("worker_claim_batch_rows_count") == 0


def test_a_wrong_dispatcher_that_leads_steps_back_for_a_right_one(servers, sink, monkeypatch):
    monkeypatch.setattr("service.dispatch.fuse.LEAD_MAX_S", 0.0)
    with (
        original(servers, sink, "production") as source,
        Driven(source, servers.redis, environment="prod", **QUICK) as wrong,
        Driven(source, servers.redis, environment="production", **QUICK) as right,
        wrong.running(),
    ):
        wait_for(lambda: wrong.metric("dispatcher_ledger_is_copy") == 1)
        with right.running():
            wait_for(lambda: right.metric("dispatcher_leading") == 1)
            wait_for(lambda: right.metric("reaper_runs_total") > 0)
            assert wrong.metric("dispatcher_offered_total") == 0


def test_a_home_that_is_declared_later_is_declared_by_the_leader(servers, sink):
    with (
        original(servers, sink, None) as source,
        connected(source) as db,
        roles(source, servers.redis, "production") as ran,
    ):
        declared = "select environment from notify.settings"
        wait_for(lambda: db.execute(declared).fetchone().environment == "production")
        wait_for(lambda: statuses(db) == {"sent": 8, "queued": 2})
        assert ran.is_copy() == (0, 0)


@pytest.mark.parametrize("environment", [None, "production"])
def test_a_renamed_database_goes_on_only_where_its_home_has_a_name(servers, sink, environment):
    with original(servers, sink, environment) as source:
        rename = "alter database {} rename to {}"
        with psycopg.connect(servers.first.admin, autocommit=True) as admin:
            admin.execute(rename.format("production", "renamed"))
            try:
                url = source.replace("/production", "/renamed")
                with roles(url, None, environment) as ran, connected(url) as db:
                    if environment is None:
                        wait_for(lambda: ran.is_copy() == (1, 1))
                        assert adopt(url, None, discards=False)["done"] == "adopted"
                    wait_for(lambda: statuses(db) == {"sent": 8, "queued": 2})
            finally:
                admin.execute(rename.format("renamed", "production"))


@pytest.mark.parametrize("how", [[], ["--inserts"]], ids=["copy", "inserts"])
def test_nothing_leaves_a_ledger_that_another_s_data_came_into(servers, sink, redis_url, how):
    with original(servers, sink, "production") as source, servers.first.database("staging") as url:
        migrate(url, settings=Settings(environment="staging"))
        with connected(source) as db:  # a row that is not queued keeps its whole COPY out
            db.execute("delete from notify.notifications where status = 'sending'")
        dump = subprocess.run(
            [servers.programs / "pg_dump", "--data-only", "-n", "notify", *how, source],
            check=True,
            capture_output=True,
            timeout=120,
        )
        psql = [servers.programs / "psql", "-qX", url]
        subprocess.run(psql, input=dump.stdout, check=True, capture_output=True, timeout=120)
        stays_silent(url, redis_url, "staging", sink, sending=0)
        assert adopt(url, "staging", discards=False)["done"] == "adopted"
        with connected(url) as db:
            assert len(ledger.claim(db, environment="staging")) == 6  # one was accepted here


def test_a_dump_of_before_that_is_migrated_here_is_at_home(servers, sink):
    with original(servers, sink, None) as source, servers.second.database("restored") as url:
        with connected(source) as db:
            db.execute(
                "drop table notify.settings, notify.copies, notify.audit;"
                "delete from public._yoyo_migration where migration_id like '0013%'"
            )
        dumped(servers, source, url)
        migrate(url, settings=Settings(environment=None))
        with connected(url) as db:
            assert len(ledger.claim(db)) == 5
