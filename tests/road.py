"""The whole road once, by every role: for tests of poolers and of PostgreSQL's own settings."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import psycopg
from prometheus_client import CollectorRegistry

import service.dispatch.reaper
from service.config.settings import Settings
from service.doctor.doctor import examine
from service.doctor.finding import Finding
from service.metrics import WorkerMetrics
from service.names.guard import LOOPBACK
from tests import ledger
from tests.integration.api.serving import Api, serving
from tests.integration.dispatch.driving import Driven
from tests.integration.workers.sink import Sink
from tests.waiting import wait_for
from workers.runner import Worker

PAYLOAD = {"text": "✓ 😀 ü", "number": 1.10}
INSERT = (
    "insert into notify.notifications (channel, recipient, payload, send_at) values"
    " ('webhook', %s, '{}', pg_catalog.now()) returning id::text"
)


class Road:
    """An API, a dispatcher and a worker at work, and a look at the ledger from beside them."""

    def __init__(self, db: psycopg.Connection[Any], api: Api, dispatcher: Driven, url: str) -> None:
        self.db = db
        self.api = api
        self.dispatcher = dispatcher
        self._url = url

    def travel(self, producer: psycopg.Connection[Any]) -> None:
        """Send one notification of each kind there is, and use every verb on the way."""
        self._accepted_and_read()
        self._inserted(producer)
        self._failed_and_redriven()
        self._taken_back()
        self._kept()

    def _accepted_and_read(self) -> None:
        hook = {"channel": "webhook", "recipient": f"{self._url}/status/200", "payload": PAYLOAD}
        id = self._post(hook).json["id"]
        assert self.api.post(hook | {"recipient": "ftp://x"}).status == 422
        later = self._post(hook | {"send_at": "2999-01-01T00:00:00Z"}, 422)
        assert later.json["code"]
        self._sent(id)
        notification = self.api.get(f"/notifications/{id}").json
        assert notification["payload"] == PAYLOAD
        assert notification["created_at"].endswith("Z")
        assert [attempt["outcome"] for attempt in notification["attempts"]] == ["sent"]
        assert id in [n["id"] for n in self.api.get("/notifications?status=sent").json["items"]]

    def _inserted(self, producer: psycopg.Connection[Any]) -> None:
        [[id]] = producer.execute(INSERT, [f"{self._url}/status/200/X-By=sql"]).fetchall()
        self._sent(id)
        later = ledger.insert(self.db, send_at=ledger.ago(self.db, "-1 day")).id
        assert self.api.ask("POST", f"/notifications/{later}/cancel").status == 200
        assert ledger.status(self.db, later) == "cancelled"

    def _failed_and_redriven(self) -> None:
        failed = self._placed("failed", settled_at=ledger.ago(self.db, "0"))
        body = f'{{"ids": ["{failed}"]}}'.encode()
        answer = self.api.ask("POST", "/redrive", body, **{"Content-Type": "application/json"})
        assert (answer.status, answer.json["redriven"]) == (200, 1)
        self._sent(failed)

    def _taken_back(self) -> None:
        ended = ledger.ago(self.db, "1 minute")
        lost = self._placed("sending", lease_until=ended, claimed_by="w:1")
        self._sent(lost)
        ends = [attempt.outcome for attempt in ledger.attempts_of(self.db, lost)]
        assert ends == ["lease_expired", "sent"]

    def _kept(self) -> None:
        jobs = self.dispatcher.jobs
        for job in (jobs.figures.read_queue, jobs.figures.read_vitals, jobs.fold_slo,
                    jobs.days.keep):  # fmt: skip
            self.dispatcher.call(job())
        self.dispatcher.reconcile()
        assert self.api.get("/readyz").status == 200

    def _placed(self, status: str, **columns: Any) -> Any:
        """Place a row that no worker sees before it is in this state."""
        id = ledger.insert(self.db, send_at=ledger.ago(self.db, "-1 day")).id
        ledger.change(self.db, id, status=status, attempt=1, max_attempts=4, **columns)
        return id

    def _post(self, body: dict[str, Any], status: int = 202) -> Any:
        answer = self.api.post(body)
        assert answer.status == status, answer.body
        return answer

    def _sent(self, id: Any) -> None:
        wait_for(lambda: ledger.status(self.db, id) == "sent", 20)


@contextmanager
def road(
    db: psycopg.Connection[Any], url: str, redis_url: str, direct_url: str | None = None
) -> Iterator[Road]:
    """Run every role on a database; `direct_url` goes past the pooler, if there is one."""
    quick: dict[str, Any] = {
        "webhook_allow": LOOPBACK,
        "reaping_interval_mins": 0.01,
        "lease_s": 20.0,
        "shutdown_grace_s": 5.0,
    }
    with ExitStack() as stack:
        stack.enter_context(patch.object(service.dispatch.reaper, "SETTLE_GRACE_S", 0.0))
        sink = Sink()
        stack.callback(sink.close)
        stack.callback(sink.hold.set)
        driven = stack.enter_context(
            Driven(url, redis_url, database_direct_url=direct_url, **quick)
        )
        api = stack.enter_context(serving(url))
        worker = Worker(
            Settings(database_url=url, redis_url=redis_url, **quick),
            WorkerMetrics(CollectorRegistry()),
        )
        worker.start()
        stack.callback(worker.stop)
        stack.enter_context(driven.running())
        yield Road(db, api, driven, sink.url)


def examined(**settings: Any) -> dict[str, Finding]:
    """Run the doctor; return its findings by name."""

    async def gather() -> dict[str, Finding]:
        return {finding.what: finding async for finding in examine(Settings(**settings))}

    return asyncio.run(gather())
