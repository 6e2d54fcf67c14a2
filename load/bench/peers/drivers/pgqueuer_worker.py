"""One process of PgQueuer: python -m load.bench.peers.drivers.pgqueuer_worker JSON."""

import asyncio
import base64
import json
import signal
import sys
from typing import Any

import aiohttp
import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.models import Job

from load.bench.peers.drivers.signed import FirstClaim, headers


async def work(given: dict[str, Any]) -> None:
    """Run until SIGTERM."""
    key = base64.b64decode(given["secret"])
    first = FirstClaim()
    connector = aiohttp.TCPConnector(limit=given["at_once"])
    async with (
        asyncpg.create_pool(given["database_url"], min_size=2, max_size=given["pool"]) as pool,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        queue = PgQueuer.from_asyncpg_pool(pool)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, queue.shutdown.set)

        async def noop(job: Job) -> None:
            first.was(job.updated.timestamp())

        async def deliver(job: Job) -> None:
            first.was(job.updated.timestamp())
            body = job.payload or b""
            webhook_id = f"00000000-0000-7000-8000-{job.id:012d}"
            signed = headers(key, webhook_id, body, "pgqueuer")
            async with session.post(given["url"], data=body, headers=signed) as answer:
                answer.raise_for_status()

        queue.entrypoint("noop")(noop)
        queue.entrypoint("deliver")(deliver)
        await queue.run(batch_size=given["batch"], max_concurrent_tasks=given["at_once"])


if __name__ == "__main__":
    uvloop.run(work(json.loads(sys.argv[1])))
