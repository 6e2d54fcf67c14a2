"""`notify worker` with several processes: they work together, come back, and end together."""

import json
import os
import signal
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.acceptance.conftest import Command, free_port
from tests.acceptance.test_metrics import EVERY, WORKER, by, metrics, names
from tests.integration.workers.sink import Sink
from tests.ledger import attempts_of, change, enqueue, reap, status
from tests.waiting import LIMIT_S, wait_for

Start = Callable[..., Command]
Db = psycopg.Connection[Any]
SENT = "select count(*) as n from notify.notifications where status = 'sent'"
TERM, INT, HUP, KILL = signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL


def children(pid: int) -> set[int]:
    """Give the processes that it has started and that run."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return {int(child) for child in text.split() if runs(int(child))}


def runs(pid: int) -> bool:
    """Say whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Workers:
    """A running `notify worker` of several processes."""

    def __init__(self, start: Start, env: dict[str, str], count: int) -> None:
        port = str(free_port())
        self.url = f"http://127.0.0.1:{port}"
        self.command = start("worker", METRICS_PORT=port, WORKER_PROCESSES=str(count), **env)
        self.pid = self.command.process.pid
        wait_for(lambda: len(self.events("worker_started")) == count)
        self.children = children(self.pid)
        assert len(self.children) == (count if count > 1 else 0)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Give the log lines of one event; each line must be whole."""
        lines = self.command.output.split("\n")[:-1]
        return [line for line in map(json.loads, lines) if line.get("event") == name]

    def counted(self, metric: str) -> float:
        """Add up what is shown of one metric."""
        return sum(by(self.url, metric).values())


@pytest.fixture
def run(start: Start, dsn: str, redis_url: str) -> Iterator[Callable[..., Workers]]:
    """Start a worker of several processes; none of them is left at the end."""
    started: list[Workers] = []

    def run(count: int = 2, **env: str) -> Workers:
        urls = {"DATABASE_URL": dsn, "REDIS_URL": redis_url, "WEBHOOK_ALLOW": "127.0.0.0/8"}
        patience = {"SEND_DEADLINE_S": "100", "LEASE_S": "200", "SHUTDOWN_GRACE_S": "100"}
        started.append(Workers(start, urls | patience | env, count))
        return started[-1]

    yield run
    for workers in started:
        for pid in {workers.pid} | workers.children | children_left(workers):
            if runs(pid) and pid != os.getpid():
                os.kill(pid, KILL)


def children_left(workers: Workers) -> set[int]:
    """Give those that were started since, if their parent is still there."""
    return children(workers.pid) if workers.command.process.poll() is None else set()


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Listen for webhooks."""
    sink = Sink()
    yield sink
    sink.hold.set()
    sink.close()


def test_two_processes_drain_together_and_send_each_once(
    db: Db, run: Callable[..., Workers], sink: Sink
) -> None:
    workers = run(2, NUM_THREADS="1", SENDS_PER_THREAD="8")  # one alone cannot hold more than 8
    ids = enqueue(db, 200, channel="webhook", recipient=f"{sink.url}/held")
    wait_for(lambda: all(held_by(db, pid) for pid in workers.children))
    sink.hold.set()
    wait_for(lambda: db.execute(SENT).fetchone().n == 200)
    assert len({line["worker"] for line in workers.events("claimed")}) == 2
    arrived = Counter(request.headers["webhook-id"] for request in sink.requests)
    assert arrived == Counter(map(str, ids))
    wait_for(lambda: workers.counted("worker_jobs_sent_total") == 200)
    wait_for(lambda: workers.counted("worker_enqueue_to_sent_seconds_count") == 200)
    assert workers.command.stop() == 0


def test_one_page_shows_what_all_of_them_show(run: Callable[..., Workers]) -> None:
    workers = run(3, NUM_THREADS="1", SENDS_PER_THREAD="8")
    assert names(workers.url) >= WORKER | EVERY
    assert by(workers.url, "worker_processes") == {(): 3}
    assert by(workers.url, "worker_processes_wanted") == {(): 3}
    assert by(workers.url, "worker_slots") == {(): 24}
    assert by(workers.url, "notify_build_info", "schema").popitem()[1] == 1
    assert len(workers.events("metrics")) == 1
    with urllib.request.urlopen(f"{workers.url}/metrics", timeout=LIMIT_S) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        lines = answer.read().decode().splitlines()
    samples = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(samples) == len(set(samples))
    assert workers.command.stop() == 0


def test_a_killed_process_comes_back_and_so_do_its_rows_and_no_counter_falls(
    db: Db, run: Callable[..., Workers], sink: Sink
) -> None:
    workers = run(2)
    enqueue(db, 100)
    wait_for(lambda: workers.counted("worker_jobs_sent_total") == 100)
    ids: list[Any] = []
    while not all(held_by(db, pid) for pid in workers.children):
        ids += enqueue(db, 4, channel="webhook", recipient=f"{sink.url}/held")
        wait_for(partial(has_come, sink, len(ids)))
    before = {k: v for k, v in metrics(workers.url).items() if k[0].endswith(("_total", "_count"))}

    victim = min(workers.children)
    os.kill(victim, KILL)
    wait_for(lambda: len(workers.events("worker_started")) == 3)
    orphaned = held_by(db, victim)
    assert not runs(victim)
    assert len(children(workers.pid)) == 2
    [said] = workers.events("unexpected_error")
    assert f"worker process {victim} was killed by SIGKILL" in said["error"]
    # A page is shown for a second at most.
    wait_for(lambda: by(workers.url, "notify_task_restarts_total", "task") == {("worker",): 1})
    wait_for(lambda: by(workers.url, "worker_processes") == {(): 2})
    after = metrics(workers.url)
    assert {k: after[k] for k, v in before.items() if after[k] < v} == {}

    for id in orphaned:  # the time of their leases passes
        change(db, id, lease_until=db.execute("select now() - interval '1 s' as t").fetchone().t)
    sink.hold.set()
    reaped = {line.id for _ in range(5) for line in reap(db)}  # a call takes a second at most
    assert reaped == set(orphaned)
    wait_for(lambda: db.execute(SENT).fetchone().n == 100 + len(ids))
    for id in ids:
        ends = [attempt.outcome for attempt in attempts_of(db, id)]
        assert ends == ["lease_expired"] * (id in orphaned) + ["sent"]
    assert workers.command.stop() == 0


def test_a_killed_process_comes_back_whatever_has_become_of_the_env_file(
    run: Callable[..., Workers], tmp_path: Path
) -> None:
    workers = run(2)
    (tmp_path / ".env").write_text("RETENTION_DAYS=3O\n")
    os.kill(min(workers.children), KILL)
    wait_for(lambda: len(workers.events("worker_started")) == 3)
    assert workers.command.stop() == 0


def has_come(sink: Sink, count: int) -> bool:
    """Say whether so many requests have come."""
    return len(sink.requests) == count


def held_by(db: Db, pid: int) -> list[Any]:
    """Give the ids of what a process is sending."""
    query = "select id from notify.notifications where status = 'sending' and claimed_by like %s"
    return [row.id for row in db.execute(query, [f"%:{pid}-%"])]


@pytest.mark.parametrize("number", [TERM, INT, HUP], ids=lambda number: number.name)
def test_a_signal_lets_all_finish_what_they_send(
    db: Db, run: Callable[..., Workers], sink: Sink, number: int
) -> None:
    workers = run(2)
    ids = enqueue(db, 20, channel="webhook", recipient=f"{sink.url}/held")
    wait_for(lambda: len(sink.requests) == 20)
    workers.command.process.send_signal(number)
    wait_for(lambda: workers.events("stopping"))
    sink.hold.set()
    assert workers.command.process.wait(LIMIT_S) == 0
    assert {status(db, id) for id in ids} == {"sent"}
    assert len(workers.events("stopping")) == 1  # the parent's
    assert len(workers.events("worker_stopped")) == 2
    assert not any(map(runs, workers.children))


def test_a_signal_to_all_processes_at_once_is_no_second_one(
    db: Db, run: Callable[..., Workers], sink: Sink
) -> None:
    """A terminal's Ctrl-C and a service manager's SIGTERM reach parent and children."""
    workers = run(2)
    ids = enqueue(db, 20, channel="webhook", recipient=f"{sink.url}/held")
    wait_for(lambda: len(sink.requests) == 20)
    for pid in (workers.pid, *workers.children):
        os.kill(pid, TERM)
    wait_for(lambda: workers.events("stopping"))
    sink.hold.set()
    assert workers.command.process.wait(LIMIT_S) == 0
    assert {status(db, id) for id in ids} == {"sent"}
    assert workers.events("stopped_at_once") == []


@pytest.mark.parametrize("number", [TERM, INT, HUP], ids=lambda number: number.name)
def test_a_signal_while_they_start_is_heard_once_they_listen(
    start: Start, dsn: str, number: int
) -> None:
    env = {"DATABASE_URL": dsn, "METRICS_PORT": str(free_port()), "WORKER_PROCESSES": "2"}
    command = start("worker", **env)
    command.says('"event":"metrics"')
    started = wait_for(lambda: children(command.process.pid))
    for pid in (command.process.pid, *started):
        os.kill(pid, number)
    assert command.process.wait(LIMIT_S) == 0
    assert "Traceback" not in command.output
    assert not any(map(runs, started))


def test_a_second_signal_ends_all_at_once(db: Db, run: Callable[..., Workers], sink: Sink) -> None:
    workers = run(2)
    enqueue(db, 20, channel="webhook", recipient=f"{sink.url}/held")
    wait_for(lambda: len(sink.requests) == 20)
    workers.command.process.send_signal(TERM)
    wait_for(lambda: workers.events("stopping"))
    workers.command.process.send_signal(TERM)
    assert workers.command.process.wait(LIMIT_S) == 130
    wait_for(lambda: not any(map(runs, workers.children)))
    assert db.execute(SENT).fetchone().n == 0


def test_without_their_parent_all_finish_what_they_send_and_end(
    db: Db, run: Callable[..., Workers], sink: Sink
) -> None:
    workers = run(2)
    ids = enqueue(db, 20, channel="webhook", recipient=f"{sink.url}/held")
    wait_for(lambda: len(sink.requests) == 20)
    workers.command.process.kill()
    wait_for(lambda: len(workers.events("stopping")) == 2)
    sink.hold.set()
    wait_for(lambda: not any(map(runs, workers.children)))
    assert {status(db, id) for id in ids} == {"sent"}


def test_a_process_that_hangs_is_shown_as_it_last_was(run: Callable[..., Workers]) -> None:
    workers = run(2)
    before, cpu_s = workers.counted("worker_slots"), workers.counted("process_cpu_seconds_total")
    os.kill(min(workers.children), signal.SIGSTOP)
    try:
        wait_for(lambda: workers.counted("process_cpu_seconds_total") > cpu_s)  # a page since then
        assert workers.counted("worker_slots") == before
        assert by(workers.url, "worker_processes") == {(): 2}
    finally:
        os.kill(min(workers.children), signal.SIGCONT)
    assert workers.command.stop() == 0


@pytest.mark.slow  # seconds pass
def test_a_process_that_hangs_at_the_end_is_killed_and_told(run: Callable[..., Workers]) -> None:
    workers = run(2, SHUTDOWN_GRACE_S="0")
    stuck = min(workers.children)
    os.kill(stuck, signal.SIGSTOP)
    assert workers.command.stop() == 1
    assert f"notify: worker process {stuck} was killed by SIGKILL" in workers.command.output
    assert not any(map(runs, workers.children))


def test_one_process_is_no_child_of_another(run: Callable[..., Workers]) -> None:
    workers = run(1)
    assert "worker_processes" not in names(workers.url)
    assert workers.command.stop() == 0
