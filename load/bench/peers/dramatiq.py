"""Dramatiq (Python, Redis): threads, each of which keeps a connection to the receiver."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import redis

from load.bench.peers.install import python
from load.bench.peers.peer import Backlog, Settings
from load.bench.processes import Command
from load.bench.stack import PAYLOAD, SECRET, Stack

MESSAGES = "dramatiq:default.msgs"  # id -> message, until it is acknowledged
QUEUE = "dramatiq:default"
DEAD = "dramatiq:default.XQ"
AT_ONCE = 1000


class Dramatiq:
    """Each process has so many `threads`, and fetches `prefetch` messages at once for them."""

    name = "dramatiq"
    title = "Dramatiq 2.2.1"
    best: ClassVar[Mapping[str, Settings]] = {
        "webhooks": {"processes": 3, "threads": 4, "prefetch": 64},
        "drain": {"processes": 2, "threads": 2, "prefetch": 32},
    }
    grid: ClassVar[Sequence[Settings]] = [
        {"processes": processes, "threads": threads, "prefetch": times * threads}
        for processes in (1, 2, 3)
        for threads in (2, 4, 8)
        for times in (2, 16)
    ]

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._url = stack.redis_url
        self._folder = folder
        self._redis = redis.Redis.from_url(stack.redis_url)

    def fill(self, backlog: Backlog) -> None:
        """Write what its broker writes: one by one, as it enqueues, would take minutes."""
        self._redis.flushall()
        messages = [message(backlog) for _ in range(backlog.rows)]
        for start in range(0, backlog.rows, AT_ONCE):
            part = messages[start : start + AT_ONCE]
            self._redis.hset(MESSAGES, items=[text for pair in part for text in pair])
            self._redis.rpush(QUEUE, *(key for key, _ in part))

    def command(self, backlog: Backlog, settings: Settings) -> Command:
        """Run the driver from the root of the repository, with the peer's Python."""
        told = {
            **settings,
            "redis_url": self._url,
            "url": backlog.url,
            "secret": SECRET.removeprefix("whsec_"),
        }
        driver = "load.bench.peers.drivers.dramatiq_worker"
        return [python(self._folder), "-m", driver, json.dumps(told)]

    def is_empty(self) -> bool:
        """Whether all messages are acknowledged, or dead."""
        return self._redis.hlen(MESSAGES) == 0

    def succeeded(self, backlog: Backlog) -> int:
        """Count what is not dead: it keeps no record of the rest."""
        return backlog.rows - int(self._redis.zcard(DEAD))


def message(backlog: Backlog) -> tuple[str, str]:
    """Spell one message and its key, as Dramatiq's JSON encoder and Redis broker do."""
    key = str(uuid.uuid4())
    spelled = {
        "queue_name": "default",
        "actor_name": "deliver" if backlog.url else "noop",
        "args": [PAYLOAD] if backlog.url else [],
        "kwargs": {},
        "options": {"redis_message_id": key},
        "message_id": str(uuid.uuid4()),
        "message_timestamp": int(time.time() * 1000),
    }
    return key, json.dumps(spelled, separators=(",", ":"))
