"""State directories for the embedded servers, and owners of them that can be killed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.embedded.servers import EmbeddedServers, ServerUrls
from tests.integration.embedded.processes import descendants, running
from tests.scratch import scratch
from tests.waiting import wait_for

OWNER = """
import json, sys, threading
from pathlib import Path
from service.embedded.servers import EmbeddedServers
with EmbeddedServers(Path(sys.argv[1]), fast=True) as urls:
    print(json.dumps([urls.database_url, urls.redis_url]), flush=True)
    threading.Event().wait()
"""


class Owner:
    """A process of its own that runs the servers of a state directory."""

    def __init__(self, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(directory)], stdout=subprocess.PIPE, text=True
        )

    def urls(self) -> ServerUrls:
        """Wait until it is ready."""
        assert self.process.stdout is not None
        database_url, redis_url = json.loads(self.process.stdout.readline())
        return ServerUrls(database_url=database_url, redis_url=redis_url)

    def family(self) -> set[int]:
        """Give the process ids of its children, and theirs."""
        return descendants(self.process.pid)

    def kill(self) -> None:
        """Kill it, so that it cannot clean up."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def newborn() -> Callable[[], set[int]]:
    """Find the processes below this one that the test has made: the session has servers too."""
    older = descendants(os.getpid())

    def find() -> set[int]:
        old = older.union(*(descendants(pid) for pid in older))
        return descendants(os.getpid()) - old

    return find


@pytest.fixture
def directory() -> Iterator[Path]:
    """Give the path of a state directory that is not there yet, with a space in it."""
    with scratch("notify tests ") as parent:
        yield Path(parent) / "a state"


@pytest.fixture(scope="session")
def made() -> Iterator[Path]:
    """Give a state directory whose servers ran before and were stopped: all tests share it.

    What a test does to it must heal by itself, which is tested; damage must be undone by the test.
    """
    with scratch("notify tests ") as parent:
        with EmbeddedServers(Path(parent) / "made", fast=True):
            pass
        yield Path(parent) / "made"


@pytest.fixture
def own() -> Iterator[Callable[[Path], Owner]]:
    """Start owners of state directories; they and their servers are gone after the test."""
    owners: list[Owner] = []

    def start(directory: Path) -> Owner:
        owners.append(Owner(directory))
        return owners[-1]

    yield start
    families = set[int]().union(*(owner.family() for owner in owners))
    for owner in owners:
        owner.kill()
    wait_for(lambda: not running(families))
