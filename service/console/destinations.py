"""The screen *Destinations*: how each takes what it gets, what is kept back, what is paused."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from aiohttp import web

from service.access.caller import Caller
from service.api.parts import Parts
from service.api.read_limit import ReadLimit
from service.console import places
from service.console.hour import hour
from service.console.places import ALIVE, CAN_BE_PROBED, Verb, name_of, path_of
from service.console.screen import Screen
from service.http.problems import Problem
from service.ledger.connection import Connection
from service.ledger.destination_store import DestinationStore, Heard, Meaning
from service.ledger.figure_store import FigureStore
from service.ledger.pause_store import WAITING_MAX, PauseStore
from service.limits import RECIPIENT_MAX_CHARS
from service.model.figures import Destination
from service.model.pause import Pause
from service.model.words import Channel
from service.text.printable import printable

LISTED = 100
FIND_MAX_CHARS = 255
OLD = timedelta(minutes=3)  # what each worker counts is there about 20 s after its minute
BADGES = {
    "breaker": "does not answer",
    "pace": "slowed down",
    "url": "one URL waits",
    "name": "slow name",
    "share": "at its share",
}
WHY = {
    "breaker": "It, or one of its URLs, has failed again and again. One notification at a time asks"
    " whether it is back; the others wait, and lose no attempt.",
    "pace": "It takes less than it is offered, and gets no more than it takes.",
    "url": "For one of its URLs it has asked for a pause, or refused all: what is for that waits.",
    "name": "The look-up of its name takes long: what is for it waits meanwhile.",
    "share": "It is slow or has not answered lately, and the room for such is used up: the rest"
    " waits.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One destination. `pauses`: those that hold it; `meaning`: of its state's or last code."""

    figures: Destination
    pauses: Sequence[Pause]
    meaning: Meaning | None

    @property
    def name(self) -> str:
        """What people call it."""
        return name_of(self.figures.channel, self.figures.destination)

    @property
    def path(self) -> str:
        """Its own screen."""
        return path_of(self.figures.channel, self.figures.destination)

    @property
    def badge(self) -> str | None:
        """Its state in a word or two; None: it takes what it gets."""
        state = self.figures.state
        return None if state is None else BADGES.get(state, state)

    @property
    def why(self) -> str | None:
        """Its state in a sentence."""
        state = self.figures.state
        return None if state is None else WHY.get(state, "Workers keep back what is for it.")

    @property
    def fails(self) -> bool:
        """Whether all that was sent there in the last hour failed."""
        return 0 < self.figures.sends <= self.figures.failures

    @property
    def pause_or_resume(self) -> Verb | None:
        """The button for its own pause; None: it cannot be paused."""
        if self.own_pause is not None:
            return places.resume(self.own_pause)
        return places.pause(self.figures.channel, self.figures.destination)

    @property
    def probe(self) -> Verb | None:
        """The button that has it tried; None: that could not end its state."""
        if self.figures.state not in CAN_BE_PROBED or self.pauses:
            return None
        return places.probe(self.figures.channel, self.figures.destination)

    @property
    def own_pause(self) -> Pause | None:
        """The pause of this destination alone."""
        return next((p for p in self.pauses if p.kind == "destination"), None)

    @property
    def failed_path(self) -> str:
        """Where Search shows what failed for good there, and offers to redrive it."""
        return self._search("failed")

    @property
    def retried_path(self) -> str:
        """Where Search shows what is for it, and will be tried, or tried again."""
        return self._search("queued")

    def _search(self, status: str) -> str:
        found = {"status": status, "channel": self.figures.channel}
        if self.figures.destination and "xn--" not in self.figures.destination:
            found["destination"] = self.figures.destination
        elif self.figures.last_code:  # PostgreSQL does not know names beyond ASCII
            found["last_error_code"] = self.figures.last_code
        return f"/console/search?{urlencode(found)}"


class Destinations:
    """The list, and one of it."""

    def __init__(self, parts: Parts) -> None:
        def lend() -> AbstractAsyncContextManager[Connection]:
            return parts.reads.pool.connection()

        self._turns = ReadLimit(2, 100)
        self._figures = FigureStore(lend)
        self._pauses = PauseStore(lend)
        self._destinations = DestinationStore(lend)

    async def screen(self, request: web.Request, caller: Caller) -> Screen:
        """Show all of them, or the one that `channel` and `name` say."""
        async with self._turns.admitted(caller.producer):
            if "name" in request.query or "channel" in request.query:
                return await self._one(request)
            return await self._all(request)

    async def _all(self, request: web.Request) -> Screen:
        """Show the busiest of those that match, one too many to know whether there are more."""
        find = request.query.get("find", "").strip().replace("\0", "\ufffd")[:FIND_MAX_CHARS]
        is_kept = "kept" in request.query
        heard = await self._destinations.heard()
        found = await self._figures.destinations(LISTED + 1, find=find or None, is_kept=is_kept)
        pauses = await self._pauses.list()
        return Screen(
            template="destinations.html",
            title="Destinations",
            shows=common(heard, request)
            | {
                "find": find,
                "is_kept": is_kept,
                "find_max": FIND_MAX_CHARS,
                "are_more": len(found) > LISTED,
                "rows": await self._shown(found[:LISTED], pauses),
                "pauses": pauses,
                "name_of": name_of,
                "path_of": path_of,
                "resume": places.resume,
                "waits": places.WAITS,
            },
        )

    async def _one(self, request: web.Request) -> Screen:
        """Show one destination, also one that nothing was sent to. Raises Problem: it is none."""
        channel, name = request.query.get("channel", ""), request.query.get("name", "")
        if channel not in list(Channel) or len(name) > RECIPIENT_MAX_CHARS or "\0" in name:
            raise Problem("not_found", "Give the channel and the name of a destination.")
        heard = await self._destinations.heard()
        figures = await self._figures.destination(channel, name) or nothing(channel, name)
        minutes = await self._figures.minutes(channel, name)
        [one] = await self._shown([figures], await self._pauses.list())
        return Screen(
            template="destination.html",
            title=printable(one.name),
            shows=common(heard, request)
            | {"one": one, "hour": hour(minutes), "waits": places.what_waits(name)},
        )

    async def _shown(self, listed: Sequence[Destination], pauses: Sequence[Pause]) -> list[Shown]:
        """Add what their codes mean, and which pauses hold them."""
        codes = {code for f in listed if (code := f.state_code or f.last_code)}
        meanings = await self._destinations.meanings(sorted(codes))
        return [
            Shown(
                figures=f,
                pauses=[p for p in pauses if places.holds(p, f.channel, f.destination)],
                meaning=meanings.get(f.state_code or f.last_code or ""),
            )
            for f in listed
        ]


def common(heard: Heard, request: web.Request) -> dict[str, object]:
    """Say how old the figures are, and where the page is asked for again."""
    return {
        "here_whole": str(request.rel_url),
        "beat_at": heard.beat_at,
        "no_worker": heard.beat_at is None or heard.now_at - heard.beat_at > ALIVE,
        "counted_at": heard.minute,
        "is_old": is_old(heard.minute, heard.now_at),
        "waiting_max": WAITING_MAX,
    }


def is_old(minute: datetime | None, now_at: datetime) -> bool:
    """Return whether the newest figures are from a while ago; nothing sent makes none, too."""
    return minute is not None and now_at - minute > OLD


def nothing(channel: str, name: str) -> Destination:
    """Make the figures of a destination that nothing was sent to."""
    return Destination(
        channel=channel, destination=name, sends=0, failures=0, per_min=0.0, p50_ms=None,
        p99_ms=None, last_code=None, last_failed_at=None, state=None, state_since=None,
        state_until=None, state_code=None,
    )  # fmt: skip
