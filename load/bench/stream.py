"""A steady stream of notifications, inserted by a thread: what a system does all day."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg

from load.bench.stack import PAYLOAD, Stack

TURN_S = 0.05
INSERT = """
insert into notify.notifications (channel, recipient, payload)
select 'webhook', %s, %s::jsonb from generate_series(1, %s)
"""


@contextmanager
def streaming(
    stack: Stack, url: str, rate: float, beside: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Insert webhooks at this rate until the context ends; `beside` is called at each turn, 20/s.

    What an INSERT raises is raised at the end. A server that stands still gets all that was missed
    when it is back, as from a real producer.
    """
    stop = threading.Event()

    def work() -> None:
        began, done = time.monotonic(), 0
        with psycopg.connect(stack.database_url, autocommit=True) as conn:
            while not stop.wait(TURN_S):
                due = int((time.monotonic() - began) * rate) - done
                conn.execute(INSERT, [url, PAYLOAD, due])
                done += due
                beside()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(work)
        try:
            yield
        finally:
            stop.set()
        running.result()
