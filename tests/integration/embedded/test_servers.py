"""Both servers in one hand: what they promise to those who start them."""

import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from service.embedded import state
from service.embedded.ports import is_free
from service.embedded.servers import EmbeddedServers
from service.errors import StartError
from service.ledger.migrate import migrate
from tests.conftest import as_superuser
from tests.integration.embedded.processes import read, running
from tests.waiting import wait_for

Newborn = Callable[[], set[int]]


def port_of(url: str) -> int:
    """Read the port."""
    return urlsplit(url).port or 0


def named(program: bytes, some: set[int]) -> set[int]:
    """Find processes by the name of their program."""
    return {pid for pid in some if program in read(pid, "cmdline").split(b"\0", 1)[0]}


def test_both_servers_answer_at_their_urls(made: Path) -> None:
    with EmbeddedServers(made, fast=True) as urls:
        assert urls.database_url and urls.redis_url
        with psycopg.connect(urls.database_url) as db:
            who = db.execute(
                "select current_database(), current_user, usesuper from pg_user"
                " where usename = current_user"
            ).fetchone()
            assert who == ("notify", "notify_app", False)
        with redis.Redis.from_url(urls.redis_url) as ready:
            assert ready.ping()
            config = ready.config_get("*")
            assert config["maxmemory"] == str(64 * 1024 * 1024)
            assert config["maxmemory-policy"] == "noeviction"
            assert config["save"] == ""
            assert config["bind"] == "127.0.0.1"


@pytest.mark.parametrize("kind", ["postgres", "valkey"])
def test_a_port_that_was_taken_since_we_looked_is_given_up(made: Path, monkeypatch, kind) -> None:
    wanted = {name: name == kind for name in ("postgres", "valkey")}
    with EmbeddedServers(made, fast=True, **wanted) as urls:
        port = port_of(urls.database_url or urls.redis_url or "")
    looks = iter([True])
    monkeypatch.setattr(state, "is_free", lambda port: next(looks, None) or is_free(port))
    with (
        socket.create_server(("127.0.0.1", port)),
        EmbeddedServers(made, fast=True, **wanted) as urls,
    ):
        assert port_of(urls.database_url or urls.redis_url or "") != port
    assert next(looks, None) is None


def test_a_server_that_ends_for_another_cause_is_not_started_again(made: Path) -> None:
    programs = made.parent / "programs of another"
    programs.mkdir(mode=0o755)
    tired = programs / "postgres"
    tired.write_text("#!/bin/sh\necho FATAL: tired\nexit 1\n")
    tired.chmod(0o755)
    servers = EmbeddedServers(made, fast=True, valkey=False, postgres_programs=programs)
    with pytest.raises(StartError, match="tired"):
        servers.start()
    assert (made / "postgres.log").read_text().count("tired") == 1


def test_nobody_gets_in_without_the_password(made: Path) -> None:
    with EmbeddedServers(made, fast=True) as urls:
        assert urls.database_url and urls.redis_url
        for user in ("notify_app", "postgres"):
            bare = urls.database_url.partition("@")[2]
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(f"postgresql://{user}@{bare}")
        bare = urls.redis_url.partition("@")[2]
        with (
            redis.Redis.from_url(f"redis://{bare}") as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()


def test_the_printed_password_lets_in_no_superuser(made: Path) -> None:
    servers = EmbeddedServers(made, fast=True)
    with servers as urls:
        assert urls.database_url
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(urls.database_url, user="postgres", dbname="postgres")
        assert_superuser_is_apart(servers, urls.database_url)


def test_a_superuser_of_earlier_days_gets_a_password_of_its_own(directory: Path) -> None:
    servers = EmbeddedServers(directory, fast=True)
    with servers as urls:
        assert urls.database_url
        with psycopg.connect(as_superuser(urls.database_url, servers.state)) as db:
            db.execute(f"alter role postgres password '{servers.state.password}'")
            db.execute("create table kept as select 42 as answer")
    file = directory / "kept.json"
    kept = json.loads(file.read_text())
    file.write_text(json.dumps({k: v for k, v in kept.items() if "superuser" not in k}))
    servers = EmbeddedServers(directory, fast=True)
    with servers as urls:
        assert urls.database_url
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(urls.database_url, user="postgres", dbname="postgres")
        assert_superuser_is_apart(servers, urls.database_url)
        with psycopg.connect(as_superuser(urls.database_url, servers.state)) as db:
            assert db.execute("select answer from kept").fetchone() == (42,)


def test_a_table_without_a_schema_is_not_among_ours(directory: Path) -> None:
    with EmbeddedServers(directory, fast=True, valkey=False) as urls:
        migrate(urls.database_url or "")
        with psycopg.connect(urls.database_url or "", autocommit=True) as db:
            db.execute("create table orders (id integer)")
            assert db.execute("select to_regclass('public.orders')").fetchone() != (None,)
            assert db.execute("select to_regclass('notifications')").fetchone() != (None,)


def test_a_role_of_earlier_days_that_was_called_like_our_schema_is_renamed(
    directory: Path,
) -> None:
    servers = EmbeddedServers(directory, fast=True, valkey=False)
    with servers as urls:
        migrate(urls.database_url or "")
        with psycopg.connect(as_superuser(urls.database_url, servers.state), autocommit=True) as db:
            db.execute("alter role notify_app rename to notify")
        older = (urls.database_url or "").replace("notify_app", "notify")
        with psycopg.connect(older, autocommit=True) as db:
            db.execute("create table orders as select 42 as answer")
            db.execute(
                "insert into notifications (channel, recipient, payload) values ('log', 'r', '1')"
            )
    file = directory / "kept.json"
    kept = json.loads(file.read_text())
    file.write_text(json.dumps({k: v for k, v in kept.items() if k != "role_is_apart"}))
    for _ in range(2):
        with EmbeddedServers(directory, fast=True, valkey=False) as urls:
            for url in (urls.database_url or "", older):
                assert migrate(url) == []
                with psycopg.connect(url) as db:
                    assert db.execute("select current_user").fetchone() == ("notify_app",)
                    assert db.execute("select answer from notify.orders").fetchone() == (42,)
                    assert db.execute("select count(*) from notifications").fetchone() == (1,)
                    db.execute("create table more (id integer)")
                    assert db.execute("select to_regclass('public.more')").fetchone() != (None,)
                    db.rollback()


def assert_superuser_is_apart(servers: EmbeddedServers, url: str) -> None:
    """The role that is printed is none, and none of its ways makes it one."""
    with psycopg.connect(url) as db:
        row = db.execute(
            "select rolsuper, rolcreaterole, rolreplication, rolbypassrls from pg_roles"
            " where rolname = current_user"
        ).fetchone()
        assert row == (False,) * 4
        for attempt in ("set role postgres", "alter role notify_app superuser"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), db.transaction():
                db.execute(attempt)
    with psycopg.connect(as_superuser(url, servers.state)) as db:
        assert db.execute("select usesuper from pg_user where usename = user").fetchone() == (True,)


def test_the_password_is_in_no_list_of_processes(made: Path, newborn: Newborn) -> None:
    servers = EmbeddedServers(made, fast=True)
    servers.start()
    try:
        password = servers.state.password.encode()
        for pid in newborn():
            assert password not in read(pid, "cmdline")
    finally:
        servers.stop()


def test_ctrl_c_of_the_terminal_does_not_reach_the_servers(made: Path, newborn: Newborn) -> None:
    with EmbeddedServers(made, fast=True):
        groups = {os.getpgid(pid) for pid in newborn()}
        assert groups and os.getpgrp() not in groups


def test_one_older_log_is_kept(made: Path) -> None:
    (made / "valkey.log").write_text("x" * 1_000_001)
    with EmbeddedServers(made, postgres=False):
        assert (made / "valkey.log").stat().st_size < 1_000_000
        assert (made / "valkey.log.old").stat().st_size == 1_000_001


def test_urls_can_stand_in_an_env_file(made: Path) -> None:
    with EmbeddedServers(made, fast=True) as urls:
        for url in (urls.database_url, urls.redis_url):
            assert url and not set(url) & set("&'\"%#$ \\")


def test_data_and_urls_survive_a_restart(directory: Path) -> None:
    with EmbeddedServers(directory, fast=True) as urls:
        assert urls.database_url
        with psycopg.connect(urls.database_url) as db:
            db.execute("create table kept as select 42 as answer")
    with EmbeddedServers(directory, fast=True) as again:
        assert again == urls
        with psycopg.connect(urls.database_url) as db:
            assert db.execute("select answer from kept").fetchone() == (42,)


def test_only_what_is_asked_for_is_started(directory: Path) -> None:
    with EmbeddedServers(directory, postgres=False) as urls:
        assert urls.database_url is None
        assert urls.redis_url
        assert not (directory / "postgres").exists()
    servers = EmbeddedServers(directory, postgres=False, valkey=False)
    assert servers.state.webhook_secret.startswith("whsec_")
    assert servers.start().redis_url is None
    servers.stop()


def test_stop_leaves_no_process_and_is_harmless_twice(made: Path, newborn: Newborn) -> None:
    servers = EmbeddedServers(made, fast=True)
    servers.start()
    family = newborn()
    assert len(family) > 2
    servers.stop()
    servers.stop()
    assert not running(family)


def test_stop_does_not_wait_for_clients(made: Path) -> None:
    servers = EmbeddedServers(made, fast=True)
    urls = servers.start()
    assert urls.database_url
    client = psycopg.connect(urls.database_url)
    servers.stop()
    with pytest.raises(psycopg.OperationalError):
        client.execute("select 1")
    client.close()


def test_second_owner_of_a_state_is_refused_in_one_line(made: Path) -> None:
    servers = EmbeddedServers(made, postgres=False)
    with pytest.raises(StartError, match=f"in use by process {os.getpid()}: ") as refused:
        EmbeddedServers(made)
    assert "\n" not in str(refused.value)
    servers.stop()
    EmbeddedServers(made, postgres=False).stop()


@pytest.mark.parametrize(
    ("program", "name"), [(b"postgres", "PostgreSQL"), (b"valkey-server", "Valkey")]
)
def test_killed_server_is_named_and_runs_again_after_the_next_start(
    made: Path, newborn: Newborn, program: bytes, name: str
) -> None:
    servers = EmbeddedServers(made, fast=True)
    urls = servers.start()
    assert urls.database_url and urls.redis_url
    with psycopg.connect(urls.database_url, autocommit=True) as db:
        db.execute(f"create table {name} as select 42 as answer")
        assert servers.dead() is None
        os.kill(min(named(program, newborn())), signal.SIGKILL)
        reason = wait_for(servers.dead)
        assert f"{name} was killed by SIGKILL" in reason
        assert "\n" not in reason
        servers.stop()
    with EmbeddedServers(made, fast=True) as again:
        assert again == urls
        with psycopg.connect(urls.database_url) as db:
            assert db.execute(f"select answer from {name}").fetchone() == (42,)
        with redis.Redis.from_url(urls.redis_url) as ready:
            assert ready.ping()


def test_a_port_taken_meanwhile_is_replaced(made: Path) -> None:
    with EmbeddedServers(made, fast=True) as urls:
        assert urls.database_url and urls.redis_url
    taken = [
        socket.create_server(("127.0.0.1", port_of(url)))
        for url in (urls.database_url, urls.redis_url)
    ]
    with EmbeddedServers(made, fast=True) as moved:
        assert moved.database_url and moved.redis_url
        assert port_of(moved.database_url) != port_of(urls.database_url)
        assert port_of(moved.redis_url) != port_of(urls.redis_url)
        psycopg.connect(moved.database_url).close()
    for stranger in taken:
        stranger.close()


def test_a_path_too_long_for_a_socket_is_no_hindrance(directory: Path) -> None:
    with EmbeddedServers(directory / ("x" * 200), fast=True) as urls:
        assert urls.database_url
        psycopg.connect(urls.database_url).close()


@pytest.mark.parametrize(
    "name", ["\udcff", "ü", "two\nlines", "two\rlines", "two\r\nlines", "'a' \"b\" $c \\d %e"]
)
def test_a_path_may_have_any_bytes(directory: Path, name: str) -> None:
    with EmbeddedServers(directory / name, fast=True) as urls:
        assert urls.database_url and urls.redis_url
        psycopg.connect(urls.database_url).close()
