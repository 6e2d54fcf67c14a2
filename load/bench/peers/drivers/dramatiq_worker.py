"""One process of Dramatiq: python -m load.bench.peers.drivers.dramatiq_worker JSON."""

import base64
import http.client
import json
import signal
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import CurrentMessage

from load.bench.peers.drivers.signed import FirstClaim, headers


def work(given: dict[str, Any]) -> None:
    """Run until SIGTERM."""
    broker = RedisBroker(url=given["redis_url"])
    broker.add_middleware(CurrentMessage())
    first = FirstClaim()

    def noop() -> None:
        first.was(time.time())

    def deliver(body: str) -> None:
        first.was(time.time())
        message = CurrentMessage.get_current_message()
        assert message is not None
        post(message.message_id, body.encode())

    post = poster(given)
    dramatiq.actor(noop, broker=broker)
    dramatiq.actor(deliver, broker=broker)
    dramatiq.worker.QUEUE_PREFETCH = given["prefetch"]
    worker = dramatiq.Worker(broker, worker_threads=given["threads"])
    worker.start()
    signal.sigwait({signal.SIGTERM})
    worker.stop()


def poster(given: dict[str, Any]) -> Any:
    """Make a function that POSTs, each thread on a connection that it keeps."""
    key = base64.b64decode(given["secret"])
    url = urlsplit(given["url"] or "")
    mine = threading.local()

    def post(webhook_id: str, body: bytes) -> None:
        if not hasattr(mine, "connection"):
            mine.connection = http.client.HTTPConnection(url.netloc, timeout=30)
        signed = headers(key, webhook_id, body, "dramatiq")
        mine.connection.request("POST", url.path, body, signed)
        answer = mine.connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"answered {answer.status}")

    return post


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    work(json.loads(sys.argv[1]))
