"""The service over HTTP, for programs that do not have its database."""

import math
import random
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from ssl import SSLContext
from typing import Any, NotRequired, Self, TypedDict, Unpack, cast
from uuid import UUID, uuid4

from notification_client._json import written
from notification_client._notification import HTTP_OPTIONS, HttpOptions, read, read_all
from notification_client._problems import document_of, problem_in, problem_of
from notification_client._timed import Misunderstood
from notification_client._transfer import Answer, Lost, Request, Transfers, place_of
from notification_client.errors import (
    KeyInFlight,
    NoAnswer,
    NotificationError,
    NotUnderstood,
    Problem,
    SomeRefused,
    Unavailable,
)

TIMEOUT_S = 15.0
TRIES = 3  # a try gets this share of the timeout, until one has used it up without an answer
PAUSE_S = 0.1
PAUSE_MAX_S = 2.0
LEAST_S = 0.1  # a try that ends before has no answer, and hides what the one before it found
WAIT_MAX_S = 30.0  # for which the service itself waits
ENDED = frozenset({"sent", "failed", "cancelled", "expired"})
TO_REPEAT = (KeyInFlight, Unavailable)


class Secret(str):
    """A text that tracebacks with the values of variables do not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"


class Detail(TypedDict):
    """A notification as GET /notifications/{id} shows it; more fields may come.

    status: queued, sending, sent, failed, cancelled or expired; the last four are ends. payload:
    left out where it has more levels than json reads (SQL takes thousands); in it, a whole number
    of more digits than Python makes an int of (4,300) is a Decimal.
    """

    id: str
    status: str
    channel: NotRequired[str]
    recipient: NotRequired[str]
    payload: NotRequired[Any]
    reference: NotRequired[str | None]
    attempt: NotRequired[int]
    created_at: NotRequired[str]
    due_at: NotRequired[str | None]
    settled_at: NotRequired[str | None]
    last_error_code: NotRequired[str | None]
    last_error: NotRequired[str | None]
    attempts: NotRequired[list[dict[str, Any]]]


class Client:
    """The service at `url`, with an API key. Threads may share it; so may what is forked.

    `timeout`: seconds for one call, all its tries included; only the look-up of the host's name has
    a limit of its own. Within it a request that got no answer, 502, 503 or 504, or whose key is in
    flight, is asked again with the same idempotency key: so it is never accepted twice. `tls`: None
    checks certificates with the system's roots. Redirects and proxies are not followed.

    Every call raises Problem for an answer that says no, NoAnswer when there is none in time, and
    NotUnderstood when what answers is not the service.
    """

    def __init__(
        self, url: str, key: str | None = None, *,
        timeout: float = TIMEOUT_S, tls: SSLContext | None = None,
    ) -> None:  # fmt: skip
        key = None if key is None else Secret("Bearer " + key)
        if not 0 < timeout < 86400:
            raise ValueError("timeout is a number of seconds, more than 0")
        if key is not None and not re.fullmatch("Bearer [!-~]+", key):
            raise ValueError("key is the text that `notify keys create` printed")
        self._timeout_s = timeout
        self._headers = {"Accept": "application/json"}
        if key is not None:
            self._headers["Authorization"] = key
        self._transfers = Transfers(place_of(url, tls))

    def send(
        self, channel: str, recipient: str, payload: object, **options: Unpack[HttpOptions]
    ) -> UUID:
        """Queue one notification; returns its id. Without an idempotency_key it gets one."""
        said = read(
            {"channel": channel, "recipient": recipient, "payload": payload, **options},
            HTTP_OPTIONS,
        )
        key = said.setdefault("idempotency_key", str(uuid4()))
        trace = {"traceparent": said.pop("traceparent")} if "traceparent" in said else {}
        if trace and not re.fullmatch("[!-~]+", trace["traceparent"]):
            raise ValueError("traceparent is what W3C Trace Context says: 00-…-…-01")
        try:
            answer = self._ask("POST", "/notify", said, end=self._end(), headers=trace)
            return id_in(document_of(answer.body))
        except NotificationError as error:
            error.idempotency_key = key
            raise

    def send_many(self, notifications: Iterable[Mapping[str, object]]) -> list[UUID]:
        """Queue up to 1,000, each for itself; returns their ids in order.

        Each is a dict with channel, recipient, payload, and the options of send() but traceparent.
        Raises SomeRefused if some are not accepted; then the others are.
        """
        items = read_all(notifications, HTTP_OPTIONS - {"traceparent"})
        keys = [item.setdefault("idempotency_key", str(uuid4())) for item in items]
        try:
            return accepted(self._results(items, self._end()))
        except NotificationError as error:
            error.idempotency_keys = tuple(keys)
            raise

    def get(self, id: UUID | str) -> Detail:
        """Return a notification and what became of it so far."""
        return self._get(id, self._end())

    def wait(self, id: UUID | str, timeout: float) -> Detail:
        """Return it when it has come to its end, or as it is after `timeout` seconds.

        Look at `status`: to fail is an end, too. The service waits, and tells at once.
        """
        end = time.monotonic() + timeout
        while True:
            began = time.monotonic()
            detail = self._get(id, self._end(waited_s(end)), waits_until=end)
            if detail["status"] in ENDED or time.monotonic() + 0.5 >= end:
                return detail
            if time.monotonic() - began < 1:  # too many wait for the service to let this one, too
                time.sleep(max(0, min(1, end - time.monotonic())))

    def cancel(self, id: UUID | str) -> None:
        """Call a notification off, or have done so before. Raises TooLate."""
        self._ask("POST", f"/notifications/{UUID(str(id))}/cancel", end=self._end())

    def close(self) -> None:
        """Close the connections that are kept open; the next call opens new ones."""
        self._transfers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end(self, wait_s: float = 0) -> float:
        return time.monotonic() + self._timeout_s + wait_s

    def _results(self, items: list[dict[str, Any]], end: float) -> list[UUID | Problem]:
        """Send a batch, and once more those of it that may pass, as long as there is time."""
        results: dict[int, UUID | Problem] = {}
        left, pauses = list(range(len(items))), pauses_s()
        while left:
            try:
                answer = self._ask("POST", "/notify/batch", [items[n] for n in left], end=end)
                results |= zip(left, results_in(document_of(answer.body), len(left)), strict=True)
            except NotificationError:
                if not results:
                    raise
                break  # what is known of the others is not to be lost
            left = [n for n in left if isinstance(results[n], TO_REPEAT)]
            if left and not slept(next(pauses), end):
                break
        return [results[n] for n in range(len(items))]

    def _get(self, id: UUID | str, end: float, waits_until: float | None = None) -> Detail:
        path = f"/notifications/{UUID(str(id))}"
        document = document_of(self._ask("GET", path, end=end, waits_until=waits_until).body)
        if not isinstance(document.get("status"), str) or id_in(document) != UUID(str(id)):
            raise NotUnderstood("the answer is no notification: is this the service's URL?")
        return cast(Detail, document)

    def _ask(
        self, method: str, path: str, said: object = None, *, end: float,
        waits_until: float | None = None, headers: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """Ask until there is an answer that stays one, or the time is over.

        `waits_until`: for so long the service may wait with its answer.
        """
        body = None if said is None else written(said).encode()
        sent = self._headers | dict(headers or {})
        if body is not None:
            sent["Content-Type"] = "application/json"
        share_s = self._timeout_s / TRIES
        for usual_s in pauses_s():
            pause_s = usual_s
            wait_s = 0.0 if waits_until is None else waited_s(waits_until)
            query = "" if waits_until is None else f"?wait={wait_s:.0f}"
            request = Request(method, path + query, body, sent)
            try_ends = min(end, time.monotonic() + share_s + wait_s)
            error: NotificationError
            try:
                return settled(self._transfers.ask(request, try_ends))
            except Lost as lost:
                error = NoAnswer(f"no answer: {lost}")
                error.__cause__ = lost
                if time.monotonic() >= try_ends:  # the service may need longer than that
                    share_s = math.inf
            except Misunderstood as strange:
                raise NotUnderstood(f"{strange}: is this the service's URL?") from strange
            except TO_REPEAT as problem:
                error, pause_s = problem, problem.retry_after or usual_s
            if not slept(pause_s, end):
                raise error
        raise AssertionError


def waited_s(until: float) -> float:
    """Return how long the service may wait from now on; it waits no longer than WAIT_MAX_S."""
    return min(max(until - time.monotonic(), 0), WAIT_MAX_S)


def settled(answer: Answer) -> Answer:
    """Return an answer of 2xx. Raises the problem of another, or NotUnderstood."""
    if 200 <= answer.status < 300:
        return answer
    if answer.status < 400:
        raise NotUnderstood(f"the answer is {answer.status}, which is not followed")
    raise problem_of(answer.status, answer.headers, answer.body)


def pauses_s() -> Iterator[float]:
    """Give longer and longer pauses, a little different for each who asks."""
    pause_s = PAUSE_S
    while True:
        yield pause_s * random.uniform(0.5, 1)
        pause_s = min(pause_s * 2, PAUSE_MAX_S)


def slept(pause_s: float, end: float) -> bool:
    """Sleep, if there is time for it and something after it."""
    if time.monotonic() + pause_s + LEAST_S >= end:
        return False
    time.sleep(pause_s)
    return True


def id_in(document: Mapping[str, Any]) -> UUID:
    """Read the id. Raises NotUnderstood."""
    try:
        return UUID(document["id"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NotUnderstood("the answer has no id: is this the service's URL?") from None


def results_in(document: Mapping[str, Any], count: int) -> list[UUID | Problem]:
    """Read the report on a batch, item by item."""
    items = document.get("items")
    if not isinstance(items, list) or len(items) != count:
        raise NotUnderstood("the answer is no report on the batch: is this the service's URL?")
    return [result_in(item) for item in items]


def result_in(item: Any) -> UUID | Problem:
    """Read what became of one notification."""
    if not isinstance(item, dict):
        raise NotUnderstood("the answer is no report on the batch: is this the service's URL?")
    problem = item.get("problem")
    if not isinstance(problem, dict):
        return id_in(item)
    status = problem.get("status")
    return problem_in(problem, status if isinstance(status, int) else 0)


def accepted(results: list[UUID | Problem]) -> list[UUID]:
    """Return the ids. Raises SomeRefused if there is a problem among them."""
    ids = [result for result in results if isinstance(result, UUID)]
    if len(ids) < len(results):
        raise SomeRefused(results)
    return ids
