"""From which destinations this worker keeps rows back, and why: what only it knows of them.

The heart writes it into the ledger, where notify.explain() reads it. It is a hint for people, and
decides nothing.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256

from service.model.words import Channel
from service.names.origin import origin
from workers.channels.simulator import is_played
from workers.claim import Parked, Unstarted

KNOWN_MAX = 1000  # more are left out
URLS_MAX = 900  # of one destination there may be as many: the others have room, too
# After the last row came back, another one would have been kept back by now.
GONE_AFTER_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is kept back. `destination` "": the mail server of all mails; `url_hash` "": all of it.

    A URL may be a secret: its hash is enough to find the rows that go to it.
    """

    channel: str
    destination: str
    state: Parked
    url_hash: str = ""


@dataclass(slots=True)
class Parking:
    """Since when, and until when the last of its rows was put off. Both are monotonic."""

    since: float
    until: float
    code: str | None


class Parkings:
    """What this worker keeps back now.

    Threads: any sender may call note, and the heart current and let_through.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, Parked, str], Parking] = {}
        self._lock = threading.Lock()

    def note(
        self,
        name: str,
        put_off: Unstarted,
        now: float,
        code: str | None,
        since: float | None = None,
        *,
        of_url: bool = False,
    ) -> None:
        """Note that a claim for the destination `name` is put off.

        `code`: of the answer that is the reason, if one is. `since`: when that began, if not now.
        `of_url`: only its URL is left alone.
        """
        claim, why, until = put_off.claim, put_off.parked, now + put_off.delay_s
        if why is None:
            return
        is_url = of_url or why is Parked.URL
        key = claim.channel, name, why, claim.recipient if is_url else ""
        with self._lock:
            parking = self._known.get(key)
            if parking is not None:
                parking.until = max(parking.until, until)
            elif len(self._known) < (URLS_MAX if is_url else KNOWN_MAX) and not is_played(claim):
                self._known[key] = Parking(now if since is None else since, until, code)

    def current(
        self, now: float, is_open: Callable[[str, str], bool] = lambda name, url: False
    ) -> dict[Kept, Parking]:
        """Return what is kept back now, as it is now; forget what no longer is.

        `is_open`: whether the breaker of a name, or of a URL there, is. Then its few rows may all
        wait for their next attempts, and none is here: the next one would be kept back.
        """
        with self._lock:
            past = [key for key, p in self._known.items() if p.until + GONE_AFTER_S < now]
            for key in past:
                _, name, why, url = key
                if why is not Parked.BREAKER or not is_open(name, url):
                    del self._known[key]
            known = [(key, replace(parking)) for key, parking in self._known.items()]
        return {kept: parking for key, parking in known if (kept := spelled(*key)) is not None}

    def let_through(self, channel: str, destination: str, now: float) -> dict[str, set[str]]:
        """Expect all that is kept back there now; what is kept back again is noted again.

        Return its names, as senders have them, with the URLs that are left alone.
        """
        places: dict[str, set[str]] = {}
        with self._lock:
            for key, parking in self._known.items():
                kept = spelled(*key)
                if kept is not None and (kept.channel, kept.destination) == (channel, destination):
                    _, name, _, url = key
                    places.setdefault(name, set()).update({url} - {""})
                    parking.until = min(parking.until, now)
        return places


def spelled(channel: str, name: str, why: Parked, url: str) -> Kept | None:
    """Spell what is kept back; None: it is no destination of which the ledger knows."""
    destination = destination_of(channel, name)
    if destination is None:
        return None
    url_hash = sha256(url.encode()).hexdigest() if url else ""
    return Kept(channel=channel, destination=destination, state=why, url_hash=url_hash)


def destination_of(channel: str, name: str) -> str | None:
    """Spell a destination as notify.destination_of() does; None: it is no place of that kind."""
    if channel == Channel.EMAIL and "://" in name:
        return name.partition(" ")[2]
    return name if origin(name) == name else None
