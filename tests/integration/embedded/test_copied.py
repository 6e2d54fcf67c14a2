"""A state directory that was copied with its lock, its ports and passwords: it is another one."""

import fcntl
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from service.cli.settings import what_lacks
from service.embedded import lock
from service.embedded.lock import holder
from service.embedded.running import is_in_use, running_up, written_down
from service.embedded.servers import EmbeddedServers
from service.embedded.state import State
from service.errors import StartError
from tests.waiting import LIMIT_S

API = "http://127.0.0.1:3000"


@pytest.fixture
def copy(directory: Path) -> Path:
    """Give the path of a copy that is not made yet."""
    return directory.with_name("a copy")


def test_a_copy_is_not_in_use_while_its_original_is(directory: Path, copy: Path) -> None:
    state = State(directory)
    assert state.password
    with written_down(directory, API, None):
        shutil.copytree(directory, copy)
        assert running_up(directory)["api"] == API
        assert what_lacks(directory) is None
        assert running_up(copy) == {}
        assert "does not run: start it" in (what_lacks(copy) or "")
    state.close()


def test_a_copy_that_has_begun_is_not_where_its_original_is(directory: Path, copy: Path) -> None:
    copy.mkdir()
    with written_down(copy, API, None):
        running = copy / "running.json"
        running.write_text(running.read_text().replace(str(os.getpid()), str(os.getppid())))
        state = State(copy)
        assert is_in_use(copy)
        assert running_up(copy) == {}
        state.close()


def test_a_number_that_another_process_has_by_now_is_no_owner(directory: Path) -> None:
    State(directory).close()
    with written_down(directory, API, None):
        assert (directory / "lock").read_text().strip() == str(os.getpid())
        assert not is_in_use(directory)
        assert running_up(directory) == {}


def test_who_asks_is_no_owner(directory: Path) -> None:
    state = State(directory)
    assert holder(directory / "lock") == holder(directory / "lock") == str(os.getpid())
    state.close()
    assert holder(directory / "lock") is None


def test_who_asks_keeps_no_owner_out(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    State(directory).close()
    asks = (directory / "lock").open()
    fcntl.flock(asks, fcntl.LOCK_SH)
    monkeypatch.setattr(lock, "ASKED_S", LIMIT_S)
    monkeypatch.setattr("service.embedded.lock.time.sleep", lambda _: asks.close())
    State(directory).close()
    assert asks.closed


def test_a_copy_leaves_its_originals_valkey_alone(directory: Path, copy: Path) -> None:
    with EmbeddedServers(directory, postgres=False) as original:
        shutil.copytree(directory, copy)
        with EmbeddedServers(copy, postgres=False) as copied:
            assert copied.redis_url != original.redis_url
            with Redis.from_url(original.redis_url or "") as redis:
                assert redis.ping()


@pytest.mark.parametrize("name", ["plain", "a \"b\" 'c' \\x41 # ü", "\udcff", "a\r\nb"])
def test_the_valkey_that_a_dead_owner_left_is_stopped(directory: Path, name: str) -> None:
    dead = EmbeddedServers(directory / name, postgres=False)
    urls = dead.start()
    dead.state.close()
    with EmbeddedServers(directory / name, postgres=False) as again:
        assert again == urls
        assert dead.redis_dead()
    dead.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as another account")
def test_a_copy_that_root_made_is_refused_with_the_line_that_mends_it(
    made: Path, copy: Path
) -> None:
    shutil.copytree(made, copy, copy_function=shutil.copyfile)
    copied = EmbeddedServers(copy, fast=True, valkey=False)
    with pytest.raises(StartError, match=r"data belongs to root, .*: chown -R ") as refused:
        copied.start()
    assert "\n" not in str(refused.value)
    line = str(refused.value).rpartition(": chown ")[2]
    subprocess.run(["chown", *shlex.split(line)], check=True)
    with EmbeddedServers(copy, fast=True, valkey=False) as urls:
        psycopg.connect(urls.database_url or "").close()
