"""The load: clients of the API and programs with INSERTs of their own, at a steady rate.

    python -m load.chaos.producers SEED RATE FILE SINK_URL DATABASE_URL API_URL…

Prints 0 when it begins; ends, having waited for what is under way, on the command `stop`. Writes a
line of JSON to FILE for each notification: reference, how (http or sql), result, began (epoch
seconds), took_s, and code: why it is not `accepted`. `refused`: whoever sent it knows that it has
to be sent again; `unknown`: the answer was lost, and it may have been accepted.
"""

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from random import Random
from typing import IO, Any

import aiohttp
import psycopg
from psycopg.types.json import Jsonb

from load.chaos.commands import answer, commands
from load.chaos.mixture import Notification, made_up

SQL_PRODUCERS = 4
IN_FLIGHT_MAX = 2000  # requests; beyond, a client would have gone away
REQUEST_MAX_S = 10.0
SQL_PAUSE_S = 0.2
INSERT = """
insert into notify.notifications
  (channel, recipient, payload, priority, send_at, expires_at, max_attempts, reference)
values (%(channel)s, %(recipient)s, %(payload)s, %(priority)s, %(send_at)s, %(expires_at)s,
  %(max_attempts)s, %(reference)s)
"""


class Producers:
    """Both kinds, and their ledger."""

    def __init__(self, seed: int, rate: float, ledger: IO[str], sink_url: str) -> None:
        self.random = Random(seed)
        self.rate = rate
        self.ledger = ledger
        self.sink_url = sink_url
        self.numbers = count()
        self.prefix = f"chaos-{seed}-{int(time.time())}"
        self.stopping = asyncio.Event()

    def make(self) -> Notification:
        """Make up the next notification."""
        reference = f"{self.prefix}-{next(self.numbers)}"
        return made_up(self.random, reference, self.sink_url, time.time())

    def note(
        self, notification: Notification, how: str, began: float, result: str, code: object = None
    ) -> None:
        """Write down what the producer knows."""
        line = {
            "reference": notification["reference"],
            "how": how,
            "result": result,
            "began": began,
            "took_s": round(time.time() - began, 3),
            "code": code,
        }
        self.ledger.write(json.dumps(line) + "\n")

    async def http(self, urls: list[str]) -> None:
        """POST half of the rate, whether or not the last one is answered; to each API in turn."""
        async with AsyncExitStack() as exits:
            clients = [await exits.enter_async_context(client()) for _ in urls]
            under_way = exits.enter_context(Pending())
            for turn in count():
                if await self.paused(2 / self.rate):
                    break
                if len(under_way.tasks) < IN_FLIGHT_MAX:
                    place = turn % len(urls)
                    under_way.add(self.post(clients[place], urls[place], self.make()))
            await under_way.done()

    async def post(
        self, client: aiohttp.ClientSession, url: str, notification: Notification
    ) -> None:
        """Make one request."""
        began = time.time()
        body = {name: value for name, value in notification.items() if value is not None}
        try:
            async with client.post(f"{url}/notify", json=body) as response:
                await response.read()
        except aiohttp.ClientConnectorError:
            self.note(notification, "http", began, "refused", "connect")
        except (aiohttp.ClientError, TimeoutError) as error:
            self.note(notification, "http", began, "unknown", type(error).__name__)
        else:
            result = "accepted" if response.status == 202 else "refused"
            self.note(notification, "http", began, result, response.status)

    async def sql(self, url: str) -> None:
        """INSERT a share of the other half, one to five in a transaction."""
        conn: psycopg.AsyncConnection[Any] | None = None
        while True:
            batch = [self.make() for _ in range(self.random.randint(1, 5))]
            if await self.paused(len(batch) * 2 * SQL_PRODUCERS / self.rate):
                break
            began, result = time.time(), "refused"
            try:
                conn = conn or await psycopg.AsyncConnection.connect(url, connect_timeout=5)
                for notification in batch:
                    await conn.execute(
                        INSERT, {**notification, "payload": Jsonb(notification["payload"])}
                    )
                result = "unknown"
                await conn.commit()
                result, code = "accepted", None
            except psycopg.Error as error:
                code = error.sqlstate or type(error).__name__
                if conn is not None:
                    await conn.close()
                    conn = None
                await asyncio.sleep(SQL_PAUSE_S)
            for notification in batch:
                self.note(notification, "sql", began, result, code)
        if conn is not None:
            await conn.close()

    async def paused(self, pause_s: float) -> bool:
        """Wait; says whether it is time to stop."""
        try:
            await asyncio.wait_for(self.stopping.wait(), pause_s)
        except TimeoutError:
            return False
        return True


class Pending:
    """Tasks under way."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> "Pending":
        return self

    def __exit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()

    def add(self, work: Any) -> None:
        """Begin a task."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def done(self) -> None:
        """Wait for all."""
        if self.tasks:
            await asyncio.wait(self.tasks)


def client() -> aiohttp.ClientSession:
    """Open a client without a limit of connections."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=REQUEST_MAX_S),
    )


async def produce(producers: Producers, database: str, apis: list[str]) -> None:
    """Produce until the command to stop."""
    async with asyncio.TaskGroup() as work:
        work.create_task(producers.http(apis))
        for _ in range(SQL_PRODUCERS):
            work.create_task(producers.sql(database))
        answer(0)
        async for _ in commands():
            break
        producers.stopping.set()
    answer("stopped")


def main(seed: str, rate: str, file: str, sink_url: str, database: str, *apis: str) -> None:
    """Open the ledger, and produce."""
    with Path(file).open("a", buffering=1) as ledger:
        producers = Producers(int(seed), float(rate), ledger, sink_url)
        asyncio.run(produce(producers, database, list(apis)))


if __name__ == "__main__":
    main(*sys.argv[1:])
