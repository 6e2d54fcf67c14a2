"""The workers' calls of the ledger: claim, settle, release. Each calling thread has its own Store.

Everything raises DatabaseAway when PostgreSQL cannot be reached, gave up on a statement
or has no schema yet.
"""

import json
import time
from collections.abc import Sequence
from typing import Any

import psycopg
from msgspec import Struct

from service import traceparent
from service.clock import since_boot
from service.config.settings import Settings
from service.errors import DatabaseAway, NotifyError
from service.home import Home
from service.logs.outage import Outage
from service.metrics import WorkerMetrics
from service.model.words import Status
from workers.arrays import array, text_array
from workers.claim import Claim, Ended, Key
from workers.ledger_session import Session
from workers.refusals import Refusal, Refusals

RETRY_AFTER_MAX_S = 3600.0  # the ledger heeds no more
# Two results beside the statuses of the ledger.
LOCKED = "locked"  # somebody else has locked the row, for now
REFUSED = "refused"  # PostgreSQL does not let us move the row

# pg_catalog is named because a session's search_path may put somebody else's words before it.
# Each function has a twin (`_each`) that goes row by row, for a batch that PostgreSQL refuses.
CLAIMING = """
select id, status, attempt, channel, recipient, payload,
  pg_catalog.date_part('epoch', expires_in),
  pg_catalog.date_part('epoch', patience_in), is_test, traceparent, priority, {error}
from notify.{function}(%s::pg_catalog.uuid[], %s, %s, pg_catalog.make_interval(secs => %s), %s,
  pg_catalog.make_interval(secs => %s), %s::pg_catalog.text, '{{tests}}'::pg_catalog.text[],
  %s{skip})
"""
CLAIM = CLAIMING.format(function="claim", error="null", skip="")
CLAIM_EACH = CLAIMING.format(function="claim_each", error="error", skip=", %s::pg_catalog.uuid[]")
SETTLING = """
select id, attempt, status, pg_catalog.date_part('epoch', due_in),
  pg_catalog.date_part('epoch', age), counted, {error}
from notify.{function}(%s::pg_catalog.uuid[], %s::integer[], %s::pg_catalog.text[],
  %s::pg_catalog.text[], %s::pg_catalog.text[], %s::integer[], %s::integer[], %s::integer[],
  %s, %s::pg_catalog.jsonb, pg_catalog.make_interval(secs => %s))
"""
SETTLE = SETTLING.format(function="settle", error="null")
SETTLE_EACH = SETTLING.format(function="settle_each", error="error")
RELEASING = """
select id, attempt, {error}
from notify.{function}(%s::pg_catalog.uuid[], %s::integer[],
  pg_catalog.make_interval(secs => %s))
"""
RELEASE = RELEASING.format(function="release", error="null")
RELEASE_EACH = RELEASING.format(function="release_each", error="error")
SKIPPED = "a trigger left it out"
LEDGER = "select id, now_s from notify.ledger()"
HOME = "select is_home, environment, is_place, is_in_use from notify.home(%s::pg_catalog.text)"
NOTICE_COPY = "select notify.notice_copy(%s::pg_catalog.text)"
HELD = "select id, attempt from notify.held(%s, %s)"
URGENT = 0  # the first lane
FAIR_EVERY = 8  # each 8th claim of any that are due begins at the bulk lane: nothing starves
HELD_MAX = 10_000  # beyond those that the worker knows of: they may be the oldest


class Unmoved(DatabaseAway):
    """PostgreSQL answers and moves none of these rows: it is its own trouble, or theirs."""


class Settled(Struct, frozen=True, kw_only=True, gc=False):
    """What an ended attempt's notification became; or LOCKED, or REFUSED."""

    status: str
    due_in_s: float | None
    age_s: float
    counted: bool | None  # whether the attempt is one of max_attempts; None: nothing was settled


class Store:
    """The verbs of one thread.

    `worker`: "host:pid-token"; `thread`: whose it is; `outage`: learns whether PostgreSQL answers.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: WorkerMetrics,
        worker: str,
        thread: str,
        outage: Outage,
    ) -> None:
        self._settings = settings
        self._refusals = Refusals(metrics)
        self._schedules = json.dumps(
            {"default": settings.retry_schedule, **settings.retry_schedules}
        )
        self._patience_s = settings.breaker_patience_mins * 60
        self._claims_of_any = 0
        self.worker = worker
        self._session = Session(settings.database_url or "", thread, outage)

    @property
    def is_connected(self) -> bool:
        """Whether a connection is open, or was when it was last used."""
        return self._session.connection is not None

    def open(self) -> None:
        """Open the connection, unless one is open that has not ended."""
        self._session.open()

    def claim(self, ids: Sequence[str] | None, limit: int) -> tuple[list[Claim], list[Claim]]:
        """Claim what is due among `ids` (None: any). Returns what to send, and what had expired."""
        asked_at = time.monotonic()  # before the call: so the lease never seems longer than it is
        slept_s = since_boot() - asked_at
        settings = self._settings
        args = (
            limit,
            self.worker,
            settings.lease_s,
            settings.max_attempts,
            self._patience_s,
            settings.environment,
            self._begins_at_bulk(ids),
        )
        lease_ends = asked_at + settings.lease_s
        claims: list[Claim] = []
        expired: list[Claim] = []
        refusals: list[Refusal] = []
        for row in self._claimed(ids, args):
            (id_, status, attempt, channel, recipient, payload, expires_in_s, patience_s,
             is_test, trace, priority, error) = row  # fmt: skip
            if status == REFUSED:
                refusals.append(Refusal(id_, None, error or SKIPPED))
                continue
            claim = Claim(
                id=id_,
                attempt=attempt,
                channel=channel,
                recipient=recipient,
                payload=payload,
                lease_ends=lease_ends,
                expires_at=None if expires_in_s is None else asked_at + expires_in_s,
                slept_s=slept_s,
                patience_ends=asked_at + patience_s,
                is_test=is_test,
                is_urgent=priority == URGENT,
                traceparent=trace and traceparent.read(trace),
            )
            (claims if status == Status.SENDING else expired).append(claim)
        if refusals:
            self._refusals.record("claim", refusals)
        return claims, expired

    def _begins_at_bulk(self, ids: Sequence[str] | None) -> bool:
        """Say whether a claim begins at the bulk lane: each FAIR_EVERYth of any that are due."""
        if ids is not None:
            return False
        self._claims_of_any += 1
        return self._claims_of_any % FAIR_EVERY == 0

    def _claimed(self, ids: Sequence[str] | None, args: Sequence[object]) -> list[tuple[Any, ...]]:
        """Claim without the rows refused lately; row by row, if PostgreSQL refuses the batch."""
        skip = self._refusals.known()
        if skip and ids is not None:
            ids = [id for id in ids if id not in skip]
        wanted = None if ids is None else array(ids)
        if not (skip and ids is None):
            try:
                return self._session.rows(CLAIM, (wanted, *args))
            except (NotifyError, psycopg.Error) as error:
                if not blames_row(error):
                    raise
        return self._session.rows(CLAIM_EACH, (wanted, *args, array(skip)))

    def settle(self, ended: Sequence[Ended]) -> dict[Key, Settled]:
        """Settle a batch. What is missing from the result was stale."""
        now = time.monotonic()
        verdicts = [e.verdict for e in ended]
        rows = self._batch(
            SETTLE,
            SETTLE_EACH,
            (
                array(e.claim.id for e in ended),
                array(e.claim.attempt for e in ended),
                array(v.outcome for v in verdicts),
                text_array([v.code for v in verdicts]),
                text_array([v.excerpt for v in verdicts]),
                array(int((now - e.started_at) * 1000) for e in ended),
                array(e.took_ms for e in ended),
                array(milliseconds(v.retry_after_s) for v in verdicts),
                self.worker,
                self._schedules,
                self._patience_s,
            ),
        )
        refusals = [Refusal(row[0], row[1], row[6] or SKIPPED) for row in rows if row[2] == REFUSED]
        if refusals:
            traces = {e.claim.id: e.claim.traceparent for e in ended}
            refusals = [r._replace(traceparent=traces[r.id]) for r in refusals]
            self._refusals.record("settle", refusals)
        return {
            (id_, attempt): Settled(status=status, due_in_s=due_in_s, age_s=age_s, counted=counted)
            for id_, attempt, status, due_in_s, age_s, counted, _ in rows
        }

    def release(self, keys: Sequence[Key], delay_s: float) -> dict[Key, bool]:
        """Release claims, due again after `delay_s`. Returns whether each was given back.

        False: the database refused it. What is missing was stale, or somebody has it locked.
        """
        ids, attempts = array(id for id, _ in keys), array(attempt for _, attempt in keys)
        rows = self._batch(RELEASE, RELEASE_EACH, (ids, attempts, delay_s))
        refusals = [Refusal(*row) for row in rows if row[2] is not None]
        if refusals:
            self._refusals.record("release", refusals)
        return {(id, attempt): error is None for id, attempt, error in rows}

    def held(self, known: int) -> list[Key]:
        """Read which claims this worker holds according to the ledger: HELD_MAX beyond `known`."""
        limit = known + HELD_MAX
        return [(id, attempt) for id, attempt in self._session.rows(HELD, (self.worker, limit))]

    def ledger(self) -> tuple[str, float]:
        """Read which ledger this is, and its clock, in seconds since 1970."""
        ((id, now_s),) = self._session.rows(LEDGER, ())
        return id, now_s

    def home(self) -> Home:
        """Say whether the ledger is at home here, for us."""
        [row] = self._session.rows(HOME, (self._settings.environment,))
        is_home, environment, is_place, is_in_use = row
        return Home(
            is_home=is_home, environment=environment, is_place=is_place, is_in_use=is_in_use
        )

    def notice_copy(self) -> None:
        """Note that it is not: what is created from now on stays when a copy is adopted."""
        self._session.rows(NOTICE_COPY, (self._settings.environment,))

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        self._session.close()

    def _batch(self, query: str, each: str, args: Sequence[object]) -> list[tuple[Any, ...]]:
        """Call a function; if PostgreSQL refuses its batch, call the twin that goes row by row."""
        try:
            return self._session.rows(query, args)
        except (NotifyError, psycopg.Error) as error:
            if not blames_row(error):
                raise
            rows = self._session.rows(each, args)
            if isinstance(error, DatabaseAway) and all(LOCKED in row for row in rows):
                raise Unmoved(str(error)) from error
            return rows


def milliseconds(seconds: float | None) -> int | None:
    """Convert a wait for the ledger, which heeds an hour at most."""
    return None if seconds is None else int(min(seconds, RETRY_AFTER_MAX_S) * 1000)


def blames_row(error: Exception) -> bool:
    """Return whether an error may be about one row of a batch, and not about PostgreSQL.

    Any SQLSTATE may be, as a trigger raises what it likes; sql/blames_row.sql judges. Errors that
    ended the session or the statement are not.
    """
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    if not isinstance(cause, psycopg.Error) or isinstance(cause, psycopg.errors.QueryCanceled):
        return False
    return cause.diag.severity_nonlocalized == "ERROR"
