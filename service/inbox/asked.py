"""GET /arrivals of the inbox: what arrived, as JSON, for tests in any language."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from aiohttp import web

from service.http.callers import Callers
from service.http.problems import Problem, answer
from service.http.query import Parameters, parameters
from service.inbox.arrivals import Arrival, Arrivals
from service.inbox.mails import encodable, read_mail

LIMIT, LIMIT_MAX = 100, 1_000
WAIT_MAX_S = 30.0
WAITERS_MAX = 100
ANSWER_BYTES = 4 * 1024**2  # of content; the next question goes on from there
SECONDS = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,3})?", re.ASCII)
WHOLE = re.compile(r"[0-9]{1,4}", re.ASCII)


class View(msgspec.Struct, frozen=True):
    """One arrival, as it is shown. Of a webhook `subject`, `text` and `html` are null."""

    id: str | None
    channel: str
    recipient: str
    reference: str | None
    arrived_at: datetime
    headers: dict[str, str]
    signature: str | None
    answer: int
    payload: msgspec.Raw | None = None
    body: str | None = None
    subject: str | None = None
    text: str | None = None
    html: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """The body of GET /arrivals. `dropped`: arrivals after `since` that made room already."""

    arrivals: Sequence[View]
    next: str
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which arrivals are asked for. None: any."""

    after: int
    id: str | None
    reference: str | None
    recipient: str | None
    limit: int

    def fits(self, arrival: Arrival) -> bool:
        """Return whether an arrival is asked for."""
        return (
            self.id in (None, arrival.id)
            and self.reference in (None, arrival.reference)
            and self.recipient in (None, arrival.recipient)
        )


class ArrivalsHandler:
    """Answer what arrived, at once or when something has."""

    def __init__(self, arrivals: Arrivals, host: str) -> None:
        self._arrivals = arrivals
        self._callers = Callers(host)
        self._waiters = 0

    async def get(self, request: web.Request) -> web.Response:
        """Answer the arrivals that fit, the oldest first."""
        if code := self._callers.fault(request):
            return answer(Problem(code))
        try:
            found = await self._found(request)
        except Problem as problem:
            return answer(problem)
        return web.Response(body=msgspec.json.encode(found), content_type="application/json")

    async def _found(self, request: web.Request) -> Answer:
        """Look, and while nothing fits, wait for more. Raises Problem."""
        values = parameters(request.query, self._parameters())
        wait_s = values.pop("wait", 0.0)
        fields = {"after": 0, "id": None, "reference": None, "recipient": None, "limit": LIMIT}
        values["after"] = values.pop("since", 0)
        question = Question(**(fields | values))
        if question.limit == 0:
            return self._answer(question, [], self._arrivals.last)
        if not wait_s:
            return self._answer(question, *await self._look(question, question.after))
        if self._waiters >= WAITERS_MAX:
            raise Problem("overloaded", f"{WAITERS_MAX} requests wait here already.")
        self._waiters += 1
        try:
            return await self._wait(question, wait_s)
        finally:
            self._waiters -= 1

    async def _wait(self, question: Question, wait_s: float) -> Answer:
        """Look after each arrival, until one fits or the time is over."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + wait_s
        place = question.after
        while True:
            news = self._arrivals.news
            found, place = await self._look(question, place)
            left_s = ends - loop.time()
            if found or left_s <= 0 or not await happens(news, left_s):
                return self._answer(question, found, place)

    async def _look(self, question: Question, place: int) -> tuple[list[Arrival], int]:
        """Give what fits after a place, and the place up to which we looked."""
        found: list[Arrival] = []
        size = 0
        for arrival in await self._arrivals.after(place):
            if len(found) >= question.limit or size > ANSWER_BYTES:
                break
            place = arrival.number
            if question.fits(arrival):
                found.append(arrival)
                size += arrival.size
        return found, place

    def _answer(self, question: Question, found: list[Arrival], place: int) -> Answer:
        """Write the answer."""
        return Answer(
            arrivals=[view(arrival) for arrival in found],
            next=self._arrivals.cursor(place),
            dropped=max(0, self._arrivals.before_first - question.after),
        )

    def _parameters(self) -> Parameters:
        """Say what may be asked."""
        return {
            "id": ("Give the id of a notification, once.", str),
            "reference": ("Give a reference, once.", str),
            "recipient": ("Give a recipient as it was written, once.", str),
            "since": ("Give the `next` of an answer before, once.", self._arrivals.place),
            "wait": (f"Give seconds, at most {WAIT_MAX_S:g}, once.", seconds),
            "limit": (f"Give a number from 0 to {LIMIT_MAX}, once; {LIMIT} if left out.", limit),
        }


async def happens(news: asyncio.Event, within_s: float) -> bool:
    """Wait for an event; return whether it came in time."""
    try:
        await asyncio.wait_for(news.wait(), within_s)
    except TimeoutError:
        return False
    return True


def view(arrival: Arrival) -> View:
    """Show one arrival."""
    headers: dict[str, str] = {}
    for name, value in arrival.headers:
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    shown = View(
        id=arrival.id,
        channel=arrival.channel,
        recipient=arrival.recipient,
        reference=arrival.reference,
        arrived_at=arrival.arrived_at,
        headers={name: encodable(value) for name, value in headers.items()},
        signature=arrival.signature,
        answer=arrival.answer,
    )
    if arrival.channel == "email":
        mail = read_mail(arrival.content)
        return msgspec.structs.replace(shown, subject=mail.subject, text=mail.text, html=mail.html)
    body = arrival.content.decode(errors="backslashreplace")
    return msgspec.structs.replace(shown, payload=json_of(arrival.content), body=body)


def json_of(body: bytes) -> msgspec.Raw | None:
    """Give a body as it stands, numbers of any length included; None: it is no JSON."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None
    return msgspec.Raw(body)


def seconds(text: str) -> float:
    """Parse a wait."""
    if not SECONDS.fullmatch(text) or float(text) > WAIT_MAX_S:
        raise ValueError("out of range")
    return float(text)


def limit(text: str) -> int:
    """Parse a number of arrivals."""
    if not WHOLE.fullmatch(text) or int(text) > LIMIT_MAX:
        raise ValueError("out of range")
    return int(text)
