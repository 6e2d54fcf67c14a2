"""What operators do: POST /notifications/{id}/cancel and POST /redrive."""

from dataclasses import asdict

import msgspec
from aiohttp import web
from loguru import logger

from service.api.enqueue import read_body
from service.api.read import json_response, notification_id
from service.api.redrive import Redrive, read
from service.api.views import Cancellation, Links, RedriveReport
from service.config.settings import Settings
from service.http.problems import Problem
from service.ledger.api_store import ApiStore
from service.logs import logs
from service.metrics import ApiMetrics
from service.model import Cancelled, Redriven, Status

REFUSALS = {Status.SENDING: "already_sending", "locked": "notification_locked"}


class OperateHandler:
    """Move what operators name, if it may move; each move leaves one line in the log."""

    def __init__(
        self, settings: Settings, store: ApiStore, reads: ApiStore, metrics: ApiMetrics
    ) -> None:
        self._attempts = settings.max_attempts
        self._store = store
        self._reads = reads  # a redrive looks at much, and takes its turn with what is read
        self._rows = metrics.operator_rows

    async def cancel(self, request: web.Request) -> web.Response:
        """Answer 200 as long as it will not be sent; a body is not looked at."""
        told = await self._store.cancel([notification_id(request)])
        if not told:
            raise Problem("notification_not_found")
        self._rows.labels("cancel").inc(told[0].was_cancelled)
        return json_response(cancellation(told[0]))

    async def redrive(self, request: web.Request) -> web.Response:
        """Answer 200 with the counts, also when nothing matched."""
        asked = read(await read_body(request))
        redriven = await self._reads.redrive(
            asked.which(),
            after=asked.cursor,
            limit=asked.limit_or_default(),
            attempts=self._attempts,
            rate_per_s=asked.rate_or_default(),
            dry_run=bool(asked.dry_run),
        )
        self._rows.labels("redrive").inc(redriven.redriven)  # none by a dry run
        if not asked.dry_run:
            tell(asked, redriven)
        return json_response(report(redriven))


def cancellation(told: Cancelled) -> Cancellation:
    """Say that it is cancelled. Raises Problem with the reason why it is not."""
    if told.status != Status.CANCELLED:
        code = REFUSALS.get(told.status)
        raise Problem(code) if code else Problem("already_settled", f"It is {told.status} already.")
    if told.was_cancelled:
        logger.info("cancelled", notification_id=told.id)
    return Cancellation(
        id=told.id, settled_at=told.settled_at, links=Links(f"/notifications/{told.id}")
    )


def tell(asked: Redrive, redriven: Redriven) -> None:
    """Log the counts and the filter; ids that were named are found by a line of their own.

    Which of them moved the ledger does not tell; the next claim of each does.
    """
    logs.transitions("redrive_asked", ({"notification_id": id} for id in asked.ids or ()))
    narrowed = msgspec.structs.asdict(asked.filter) if asked.filter else {}
    given = {name: value for name, value in narrowed.items() if value is not None}
    counts = asdict(redriven)
    del counts["following"]
    logger.info("redriven", **given, **counts)


def report(redriven: Redriven) -> RedriveReport:
    """Say what was done."""
    counts = asdict(redriven)
    return RedriveReport(next=counts.pop("following"), **counts)
