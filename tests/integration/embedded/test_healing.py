"""What a violent end leaves behind, and that the next start copes with it."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from service.embedded.servers import EmbeddedServers
from service.errors import StartError
from tests.integration.embedded.conftest import Owner
from tests.integration.embedded.processes import descendants, running
from tests.waiting import wait_for

Own = Callable[[Path], Owner]


def answer(url: str | None) -> object:
    """Ask the database something."""
    with psycopg.connect(url or "") as db:
        return db.execute("select 42").fetchone()


@pytest.fixture
def stopped(made: Path) -> Path:
    """Give the data directory of a cluster that was made and stopped."""
    return made / "postgres" / "data"


def test_killed_owner_leaves_no_process_and_the_next_start_finds_its_data(
    made: Path, own: Own
) -> None:
    owner = own(made)
    urls = owner.urls()
    family = owner.family()
    assert len(family) > 2
    with psycopg.connect(urls.database_url or "", autocommit=True) as db:
        db.execute("create table survivor as select 42 as answer")
    owner.kill()
    wait_for(lambda: not running(family))
    with EmbeddedServers(made, fast=True) as again:
        assert again == urls
        with psycopg.connect(again.database_url or "") as db:
            assert db.execute("select answer from survivor").fetchone() == (42,)


def test_start_right_after_the_owner_was_killed_works(made: Path, own: Own) -> None:
    for _ in range(3):
        owner = own(made)
        owner.urls()
        owner.kill()
    with EmbeddedServers(made, fast=True) as urls:
        assert answer(urls.database_url) == (42,)


@pytest.mark.parametrize("step", ["draft", "draft/PG_VERSION", "draft/base/5", "data"])
def test_owner_killed_while_the_cluster_is_made(directory: Path, own: Own, step: str) -> None:
    owner = own(directory)
    wait_for((directory / "postgres" / step).exists)
    family = owner.family()
    owner.kill()
    wait_for(lambda: not running(family))
    with EmbeddedServers(directory, fast=True) as urls:
        assert answer(urls.database_url) == (42,)
    assert not (directory / "postgres" / "draft").exists()


def test_postgres_killed_in_the_middle_of_a_query_starts_again(made: Path, own: Own) -> None:
    owner = own(made)
    with psycopg.connect(owner.urls().database_url or "", autocommit=True) as db:
        busy = threading.Thread(target=fail_or_finish, args=(db,))
        busy.start()
        postmaster = int((made / "postgres/data/postmaster.pid").read_text().split()[0])
        wait_for(lambda: any(b"SELECT" in cmdline(pid) for pid in descendants(postmaster)))
        os.kill(postmaster, signal.SIGKILL)
        owner.kill()
        with EmbeddedServers(made, fast=True) as urls:
            assert answer(urls.database_url) == (42,)
        busy.join()


def fail_or_finish(db: psycopg.Connection) -> None:
    """Keep a backend at its work, without a look around, until its server is gone."""
    with pytest.raises(psycopg.OperationalError):
        db.execute("select sum(sqrt(i)) from generate_series(1, 10000000000) as i")


def cmdline(pid: int) -> bytes:
    """Give what a process calls itself."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("content", ["", "nonsense\n", "1\n", "{us}\n", "999999999\n"])
def test_pid_file_of_no_server_of_ours_is_no_hindrance(stopped: Path, content: str) -> None:
    (stopped / "postmaster.pid").write_text(content.format(us=os.getpid()))
    with EmbeddedServers(stopped.parent.parent, fast=True, valkey=False) as urls:
        assert answer(urls.database_url) == (42,)


def test_lock_file_of_a_dead_owner_is_no_hindrance(directory: Path) -> None:
    directory.mkdir()
    (directory / "lock").write_text("999999999\n")
    EmbeddedServers(directory).stop()


def test_data_of_another_version_is_refused_in_one_line_and_nothing_is_left_running(
    stopped: Path, newborn: Callable[[], set[int]]
) -> None:
    (stopped / "PG_VERSION").write_text("15\n")
    servers = EmbeddedServers(stopped.parent.parent, fast=True)
    with pytest.raises(StartError, match="was made by PostgreSQL 15, and this is 18: ") as refused:
        servers.start()
    (stopped / "PG_VERSION").write_text("18\n")
    assert "\n" not in str(refused.value)
    assert not running(newborn())
    EmbeddedServers(stopped.parent.parent).stop()


def test_damaged_data_is_reported_by_the_word_of_postgres(stopped: Path) -> None:
    control = (stopped / "global" / "pg_control").read_bytes()
    (stopped / "global" / "pg_control").write_bytes(b"")
    servers = EmbeddedServers(stopped.parent.parent, fast=True, valkey=False)
    with pytest.raises(StartError, match="pg_control") as refused:
        servers.start()
    (stopped / "global" / "pg_control").write_bytes(control)
    assert "\n" not in str(refused.value)
