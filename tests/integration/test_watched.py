"""Whatever ends a task or a thread of any role: it goes on, or the process ends with a line.

Tasks and threads are found by looking at the process, so that a new one is tried as well.
"""

import asyncio
import re
import threading
import urllib.request
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from loguru import logger
from prometheus_client import REGISTRY, CollectorRegistry

import service.process.watched
from service.cli.metrics_port import serve_metrics
from service.cli.running import run_until_stopped
from service.cli.up import everything
from service.config.settings import Settings
from service.errors import UnexpectedEnd
from service.logs import logs
from service.logs.loki import Loki
from service.metrics import JOBS, LogMetrics
from service.names.guard import LOOPBACK
from tests import ledger
from tests.acceptance.conftest import free_port
from tests.loki import fake_loki
from tests.waiting import LIMIT_S

NOT_OURS = (
    "asyncio_",
    "uvloop_",
    "Thread-",
)  # what to_thread() keeps for later, and the test's Loki
FAULTS = [TypeError("a bug"), MemoryError(), SystemExit(0), asyncio.CancelledError("a library's")]


THE_TESTS = "the test's"
LEADERS = ("dispatch", "redis", *JOBS)


def forget_metrics(before: set[Any]) -> None:
    for collector in set(REGISTRY._collector_to_names) - before:
        REGISTRY.unregister(collector)


class AllRoles:
    """Every role in this process; runs again and again until every target was hit."""

    def __init__(self, db: Any, dsn: str, redis_url: str) -> None:
        self.db = db
        self.settings = Settings(
            database_url=dsn,
            redis_url=redis_url,
            port=free_port(),
            metrics_port=free_port(),
            webhook_allow=LOOPBACK,
            shutdown_grace_s=1.0,
        )
        self.hit: list[str] = []
        self.ends: list[str] = []  # the log line, each time that a hit ended the process

    def hit_all(self, hit_next: Callable[[], str | None]) -> None:
        """Run; once all is well, hit one after another, and see that each time all is well again.

        `hit_next` gives the name of what it hit; None: nothing is left.
        """
        is_over = False

        async def hit_each(stop: asyncio.Event) -> None:
            nonlocal is_over
            try:
                await self.all_is_well()
                while name := hit_next():
                    self.hit.append(name)
                    await until(self.has_noticed)
                    await self.all_is_well()
                is_over = True
            except TimeoutError:
                pytest.fail(f"{self.hit[-1:]} did not go on, and the process did not end")
            finally:
                stop.set()

        async def main(stop: asyncio.Event) -> None:
            hitting = asyncio.create_task(hit_each(stop), name=THE_TESTS)
            try:
                await everything(self.settings, None, None, stop, False)
                if hitting.done():  # else the process ends by itself
                    hitting.result()
            finally:
                hitting.cancel()

        while not is_over:
            before = set(REGISTRY._collector_to_names)
            try:
                assert run_until_stopped(main) == 0
            except UnexpectedEnd as error:
                self.ends.append(str(error))
            finally:
                forget_metrics(before)

    def has_noticed(self) -> bool:
        """Say whether what was hit raised since; replaced where that takes time."""
        return True

    async def all_is_well(self) -> None:
        """Wait until every task of the leader runs, and a notification goes all the way."""
        await until(lambda: {"leader", *LEADERS} <= set(tasks()))
        [id] = ledger.enqueue(self.db)
        await until(lambda: ledger.status(self.db, id) == "sent")
        await until(lambda: {"leader", *LEADERS} <= set(tasks()))


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110 - nobody sets an event for a test
            await asyncio.sleep(0.01)


def tasks() -> dict[str, "asyncio.Task[Any]"]:
    """Return the running tasks of the roles, by name."""
    by_name = {task.get_name(): task for task in asyncio.all_tasks()}
    return {k: v for k, v in by_name.items() if k != THE_TESTS and not k.startswith("Task-")}


def hit(task: "asyncio.Task[Any]", error: BaseException) -> bool:
    """Raise an error where the task waits. False: it does not wait in a way that takes it."""
    waits_for: Any = task._fut_waiter  # type: ignore[attr-defined]
    while isinstance(waits_for, asyncio.Task):
        if isinstance(error, SystemExit):  # an exit() in it would end the loop, and is not seen
            return False
        waits_for = waits_for._fut_waiter  # type: ignore[attr-defined]
    if waits_for is None or waits_for.done():
        return False
    waits_for.set_exception(error)
    return True


# A process that ends of a bug does not close what it had.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def roles(db, dsn, redis_url, monkeypatch):
    monkeypatch.setattr(service.process.watched, "PAUSE_MIN_S", 0.02)
    return AllRoles(db, dsn, redis_url)


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_whatever_ends_a_task_it_goes_on_or_the_process_ends(roles, error):
    def hit_next():
        for name, task in tasks().items():
            kind = re.sub("[0-9]+", "N", name)  # a pool has several alike
            if kind not in roles.hit and hit(task, error):
                return kind
        return None

    roles.hit_all(hit_next)
    assert {"leader", *LEADERS} <= set(roles.hit)


TURNS = ("claimer", "settler", "sender-0", "sender-1", "heart")


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_whatever_a_thread_meets_it_goes_on(roles, error, monkeypatch, logs_restored):
    started = set(threading.enumerate())
    raised: list[str] = []

    def hit_next():
        threads = {t.name: t for t in set(threading.enumerate()) - started}
        for name, thread in threads.items():
            if not name.startswith(NOT_OURS) and name not in roles.hit:
                what, turn = targets.get(name, (thread, "turn"))
                raise_once(monkeypatch, what, turn, error, partial(raised.append, name))
                return name
        return None

    with fake_loki() as server:
        loki = Loki(server.url, LogMetrics(CollectorRegistry()), linger_s=0.02)
        targets: dict[str, tuple[Any, str]] = {"loki": (loki, "push_all")}
        logs.set_up("up", style="json", push=loki)
        roles.has_noticed = lambda: raised[-1:] == roles.hit[-1:]
        roles.hit_all(hit_next)
        assert loki.thread.is_alive()
        logger.remove()
    assert set(roles.hit) == {*TURNS, "loki"}
    assert roles.ends == []


def raise_once(
    monkeypatch: pytest.MonkeyPatch,
    what: Any,
    name: str,
    error: BaseException,
    note: Callable[[], None] = lambda: None,
) -> None:
    """Let the next call of a function raise, and those after it do their work."""
    done = getattr(what, name)

    def raising(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(what, name, done)
        note()
        raise error

    monkeypatch.setattr(what, name, raising)


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_the_metrics_are_served_again_on_their_port(error, monkeypatch):
    monkeypatch.setattr(service.process.watched, "PAUSE_MIN_S", 0.02)
    raise_once(monkeypatch, web.SockSite, "start", error)
    port, restarted = free_port(), []
    serve_metrics(Settings(metrics_port=port), restarted.append)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=LIMIT_S) as answer:
        assert answer.status == 200
    assert restarted == ["metrics"]


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_the_death_of_any_thread_ends_the_process_with_a_line(error):
    def die():
        raise error

    async def main(stop):
        threading.Thread(target=die, name="somebody's").start()
        await stop.wait()

    with pytest.raises(UnexpectedEnd, match="^thread somebody's ended: " + type(error).__name__):
        run_until_stopped(main)


@pytest.mark.parametrize("role", ["settler", "sender-1", "claimer"])
def test_a_workers_thread_that_returns_ends_the_process_with_a_line(roles, role):
    def hit_next():
        thread: Any  # a role's own kind of thread
        [thread] = [t for t in threading.enumerate() if t.name == role]
        thread._stopping.set()
        thread._grace_ends = 0.0
        return None if roles.ends else role

    roles.has_noticed = lambda: False
    roles.hit_all(hit_next)
    assert roles.ends == [f"thread {role} ended"]


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_a_main_that_fails_or_returns_ends_with_a_line(error):
    async def fail(stop):
        raise error

    async def give_up(stop):
        pass

    with pytest.raises(UnexpectedEnd, match=type(error).__name__ + "|exit"):
        run_until_stopped(fail)
    with pytest.raises(UnexpectedEnd, match="without being told"):
        run_until_stopped(give_up)
