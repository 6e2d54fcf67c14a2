"""What arrived, kept for whoever asks: the last KEPT_MAX arrivals, and BYTES_MAX of content."""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from secrets import token_hex

from service.errors import NotifyError
from service.model.notification import Known

KEPT_MAX = 10_000
BYTES_MAX = 32 * 1024**2
LOOK_UP_MAX = 1_000  # ids of one question
HEADER_BYTES = 100  # of a header beside its text, about
CURSOR = re.compile(r"([0-9a-f]{8})-([0-9]{1,15})", re.ASCII)
UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII)


LookUp = Callable[[list[str]], Awaitable[Mapping[str, Known]]]  # by id; may raise NotifyError


@dataclass(slots=True, kw_only=True)
class Arrival:
    """A webhook or a mail. `content`: the body of a webhook, the whole source of a mail.

    `id`: of the notification, where it says one. `channel`, `recipient` and `reference` are what
    the wire shows until the ledger was asked. `answer`: the status or reply that it got.
    """

    id: str | None
    channel: str
    recipient: str
    headers: Sequence[tuple[str, str]]
    content: bytes
    signature: str | None
    answer: int
    reference: str | None = None
    number: int = 0
    arrived_at: datetime = datetime.min

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        heads = sum(len(name) + len(value) + HEADER_BYTES for name, value in self.headers)
        return len(self.content) + heads


class Arrivals:
    """The arrivals, numbered from 1 in their order, for one event loop."""

    def __init__(self, look_up: LookUp | None = None) -> None:
        """`look_up`: asks the ledger; None: there is none, and no reference is known."""
        self._look_up = look_up
        self._run = token_hex(4)  # a cursor of another run of the inbox begins anew
        self._kept: deque[Arrival] = deque()
        self._bytes = 0
        self._last = 0
        self._known_to = 0  # up to here the ledger was asked
        self._news = asyncio.Event()
        self._asking = asyncio.Lock()

    def keep(self, arrival: Arrival) -> None:
        """Keep an arrival, and wake those who wait; the oldest make room."""
        self._last += 1
        arrival.number = self._last
        arrival.arrived_at = datetime.now(UTC)
        self._kept.append(arrival)
        self._bytes += arrival.size
        while len(self._kept) > KEPT_MAX or (self._bytes > BYTES_MAX and len(self._kept) > 1):
            self._bytes -= self._kept.popleft().size
        self._news.set()
        self._news = asyncio.Event()

    @property
    def news(self) -> asyncio.Event:
        """What is set at the next arrival: take it before you look."""
        return self._news

    @property
    def last(self) -> int:
        """The number of the newest; 0: nothing has arrived."""
        return self._last

    @property
    def before_first(self) -> int:
        """The number before the oldest that is kept."""
        return self._last - len(self._kept)

    def cursor(self, number: int) -> str:
        """Write the place behind an arrival."""
        return f"{self._run}-{number}"

    def place(self, cursor: str) -> int:
        """Read a cursor: the number after which to look. Raises ValueError if it is none."""
        match = CURSOR.fullmatch(cursor)
        if match is None:
            raise ValueError("no cursor")
        return min(int(match[2]), self._last) if match[1] == self._run else 0

    def find(self, cursor: str) -> Arrival | None:
        """Give the arrival whose cursor this is; None: there is none, or it has made room."""
        match = CURSOR.fullmatch(cursor)
        if match is None or match[1] != self._run:
            return None
        place = int(match[2]) - self.before_first - 1
        return self._kept[place] if 0 <= place < len(self._kept) else None

    async def after(self, number: int) -> list[Arrival]:
        """Give what arrived after a number, with what the ledger knows of it."""
        if self._look_up is not None:
            async with self._asking:
                with suppress(NotifyError):  # we ask again next time
                    await self._ask(self._look_up)
        return self._from(number)

    async def _ask(self, look_up: LookUp) -> None:
        """Ask the ledger about those whose turn has not come yet."""
        while new := self._from(self._known_to)[:LOOK_UP_MAX]:
            known = await look_up([a.id for a in new if a.id and UUID.fullmatch(a.id)])
            for arrival in new:
                if found := known.get(arrival.id or ""):
                    arrival.channel, arrival.recipient = found.channel, found.recipient
                    arrival.reference = found.reference
            self._known_to = new[-1].number

    def _from(self, number: int) -> list[Arrival]:
        """Give what is kept after a number."""
        return list(islice(self._kept, max(0, number - self.before_first), None))
