"""The stress test: producers at a steady rate, and a receiver of its own that counts what arrives.

Every notification is a webhook to the receiver. SQL producers take part when DATABASE_URL is set,
in the environment or ./.env. The exit code is 1 when a notification was lost, when more than
MAX_FAIL_SHARE (0) of the requests failed, or when the p99 of the requests, or of the time from
enqueue to arrival, is above MAX_P99_MS (500).
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import gevent  # type: ignore[import-untyped]
import psycopg
from dotenv import dotenv_values
from locust import FastHttpUser, User, constant_throughput, events, task
from locust.env import Environment

ROOT = Path(__file__).resolve().parents[1]
DATABASE_URL = os.environ.get("DATABASE_URL") or dotenv_values(".env").get("DATABASE_URL")
MAX_FAIL_SHARE = float(os.environ.get("MAX_FAIL_SHARE", "0"))
MAX_P99_MS = float(os.environ.get("MAX_P99_MS", "500"))
ARRIVE_MAX_S = 15.0  # after the last request
INSERT = """
insert into notifications (channel, recipient, payload) values ('webhook', %s, %s) returning id
"""


class Receiver:
    """The sink of load.bench, as a process beside us, and the ids that have to arrive there."""

    def __init__(self) -> None:
        self.accepted: set[str] = set()

    def start(self) -> None:
        """Start it; it ends with us."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "load.bench.sink"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{self.process.stdout.readline().strip()}"

    def stop(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait()

    def notification(self) -> dict[str, Any]:
        """Give what a producer says; the receiver reads the time from the payload."""
        return {
            "channel": "webhook",
            "recipient": f"{self.url}/hook",
            "payload": {"sent_ns": time.time_ns()},
        }

    def ask(self, path: str) -> Any:
        """Ask it what has arrived."""
        with urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def lost(self) -> set[str]:
        """Give the ids that were accepted and have not arrived, after a wait for the last ones."""
        ends = time.monotonic() + ARRIVE_MAX_S
        while (left := self.accepted - set(self.ask("/ids"))) and time.monotonic() < ends:
            gevent.sleep(0.1)
        return left


receiver = Receiver()


class HttpProducer(FastHttpUser):
    """Enqueues by POST /notify."""

    wait_time = constant_throughput(1)

    def on_start(self) -> None:
        """Spread the users over their second."""
        gevent.sleep(random.random())

    @task
    def enqueue(self) -> None:
        """Enqueue one; anything but a 202 is a failure."""
        with self.client.post(
            "/notify", json=receiver.notification(), catch_response=True
        ) as answer:
            if answer.status_code == 202:
                receiver.accepted.add(answer.json()["id"])
            else:
                answer.failure(f"status {answer.status_code}")


class SqlProducer(User):
    """Enqueues as any system that knows SQL does."""

    abstract = not DATABASE_URL
    wait_time = constant_throughput(1)

    def on_start(self) -> None:
        """Spread the users over their second."""
        self.conn: psycopg.Connection[Any] | None = None
        gevent.sleep(random.random())

    def on_stop(self) -> None:
        """Let the connection go."""
        if self.conn is not None:
            self.conn.close()

    @task
    def enqueue(self) -> None:
        """Enqueue one; anything but a commit is a failure."""
        began, error = time.perf_counter(), None
        try:
            receiver.accepted.add(self.insert())
        except psycopg.Error as raised:
            error = raised
        self.environment.events.request.fire(
            request_type="SQL",
            name="insert into notifications",
            exception=error,
            context={},
            response_time=(time.perf_counter() - began) * 1000,
            response_length=0,
        )

    def insert(self) -> str:
        """Insert and commit one row on the user's own connection; returns its id."""
        if self.conn is None or self.conn.closed:
            self.conn = psycopg.connect(
                DATABASE_URL or "", autocommit=True, application_name="locust"
            )
        notification = receiver.notification()
        row = self.conn.execute(
            INSERT, [notification["recipient"], json.dumps(notification["payload"])]
        ).fetchone()
        assert row is not None
        return str(row[0])


# Before the run's time begins. (locust types no decorator.)
@events.init.add_listener  # type: ignore[untyped-decorator]
def start(environment: Environment, **_: object) -> None:
    """Start the receiver, and say who produces."""
    receiver.start()
    print(
        "producers: HTTP and SQL"
        if DATABASE_URL
        else "producers: only HTTP, as DATABASE_URL is not set; `notify up` prints one that works"
    )


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def judge(environment: Environment, **_: object) -> None:
    """Print what arrived, and decide on the exit code."""
    lost = receiver.lost()
    counts = receiver.ask("/counts")
    receiver.stop()
    took_ms = sorted(counts["latencies_ms"])
    print(
        f"accepted {len(receiver.accepted)}, arrived {len(receiver.accepted - lost)}, "
        f"lost {len(lost)}, arrived again {counts['arrived'] - counts['distinct']}; "
        f"enqueue to arrival p50 {share(took_ms, 50):.1f} ms, p99 {share(took_ms, 99):.1f} ms"
    )
    reasons = list(complaints(environment, len(lost), share(took_ms, 99)))
    print("\n".join(f"FAILED: {reason}" for reason in reasons) or "passed", flush=True)
    environment.process_exit_code = 1 if reasons else 0


def complaints(environment: Environment, lost: int, arrival_p99_ms: float) -> Iterator[str]:
    """Say what is wrong with the run."""
    total = environment.stats.total
    request_p99_ms = total.get_response_time_percentile(0.99) or 0.0
    if not receiver.accepted:
        yield "nothing was accepted"
    if lost:
        yield f"{lost} accepted notifications did not arrive within {ARRIVE_MAX_S:g} s"
    if total.fail_ratio > MAX_FAIL_SHARE:
        yield f"{total.fail_ratio:.2%} of the requests failed, MAX_FAIL_SHARE={MAX_FAIL_SHARE:g}"
    for what, p99_ms in (("requests", request_p99_ms), ("enqueue to arrival", arrival_p99_ms)):
        if p99_ms > MAX_P99_MS:
            yield f"p99 of {what} is {p99_ms:.1f} ms, MAX_P99_MS={MAX_P99_MS:g}"


def share(values: list[float], percent: int) -> float:
    """Give the value that this share of the sorted values does not exceed; 0 for none."""
    return values[min(len(values) - 1, len(values) * percent // 100)] if values else 0.0
