"""What is known of destinations, and of mail domains behind a server: which may be asked, and when.

A mail server's breaker and pace learn from what it says of itself. Answers from RCPT on are about
the mail's domain, which has a breaker and a pace of its own; the server is blamed only once for
each domain that fails: one domain that hangs is no outage, ten at once are. The same holds of a
destination and its URLs, as a gateway has many services behind it: what one URL answers, or that it
does not, says little of the others. That nobody can be reached there is about all of them.
ops/adr/0016-mail-shares.md, 0006-breaker.md.
"""

from functools import lru_cache
from hashlib import sha256
from math import ceil

from loguru import logger

from service.model.words import Outcome
from workers.breakers import Breakers
from workers.claim import Claim, Parked, Unstarted, Verdict
from workers.flight import Flight
from workers.outcome import blames_destination
from workers.paces import Paces
from workers.parkings import Kept, Parking, Parkings

NAMES_MAX = 4096  # kept: a name takes a microsecond, for each send while anything fails


class Standing:
    """The breakers and the paces of one worker, asked and updated together.

    Threads: kept_back and let_through are the heart's, and any sender may call all else: it has
    nothing of its own, and each of the three has a lock.
    """

    def __init__(self, breakers: Breakers, paces: Paces, parkings: Parkings) -> None:
        self._breakers = breakers
        self._paces = paces
        self._parkings = parkings

    def park(self, flight: Flight) -> Unstarted | None:
        """Park a claim until its destination may be asked again. None: it may now."""
        if self._breakers.is_empty and self._paces.is_empty:
            return None
        claim, now = flight.claim, flight.started_at
        part = part_of(flight)
        if part == flight.share:
            parked = self._park(claim, part, now)
        else:
            parked = self._park_by_breaker(claim, flight.destination, now, part)
        if parked is None and (parked := self._park(claim, flight.destination, now)):
            self._breakers.not_sent(part, now)  # another row is its probe
        return parked

    def report(self, flight: Flight, verdict: Verdict, now: float) -> Verdict:
        """Learn what came of a send; return the verdict, with the wait if it was throttled."""
        is_sent = verdict.outcome is Outcome.SENT
        if is_sent and self._breakers.is_empty and self._paces.is_empty:
            return verdict
        claim, destination, began = flight.claim, flight.destination, flight.started_at
        if flight.share == destination:
            self._learn_of_url(flight, verdict, now)
            return self._paces.report(claim, destination, verdict, began, now)
        if not verdict.of_domain:
            self._breakers.report(destination, verdict, began, now)
            self._breakers.learned_nothing(flight.share, began)
            return self._paces.report(claim, destination, verdict, began, now)
        if blames_destination(verdict) and self._breakers.fails(flight.share, now):
            self._breakers.learned_nothing(destination, began)
        else:
            self._breakers.report(destination, verdict, began, now)
        self._breakers.report(flight.share, verdict, began, now)
        if verdict.outcome is not Outcome.THROTTLED or not self._paces.knows(flight.share):
            self._paces.report(claim, destination, verdict, began, now)
        return self._paces.report(claim, flight.share, verdict, began, now)

    def note(self, name: str, put_off: Unstarted, now: float, part: str = "") -> Unstarted:
        """Remember for people that a claim for this destination is put off; return it.

        `part`: of the destination, if only that is left alone.
        """
        code, since = None, None
        if put_off.parked is Parked.BREAKER:
            failing = part or name
            code, since = self._breakers.code(failing), self._breakers.open_since(failing, now)
        self._parkings.note(name, put_off, now, code, since, of_url=bool(part))
        return put_off

    def kept_back(self, now: float) -> dict[Kept, Parking]:
        """Return from which destinations rows are kept back now."""

        def is_open(name: str, url: str) -> bool:
            failing = part_name(name, url) if url else name
            return self._breakers.open_since(failing, now) is not None

        return self._parkings.current(now, is_open)

    def let_through(self, channel: str, destination: str, now: float) -> None:
        """Let the next send to a destination begin, whatever keeps it back: it is the probe.

        So do its URLs that are left alone, listed or not: more may be than the list has room for.
        """
        listed = self._parkings.let_through(channel, destination, now)
        if self._breakers.knows(destination) or self._paces.knows(destination):
            listed.setdefault(destination, set())
        for name, urls in listed.items():
            self._breakers.let_through(name, now)
            self._paces.let_through(name, urls, now)
            logger.info("probe_let_through", channel=channel, destination=destination)

    def not_sent(self, flight: Flight) -> None:
        """Let another send be the probe if this one was: it never left this host."""
        self._breakers.not_sent(flight.destination, flight.started_at)
        self._breakers.not_sent(part_of(flight), flight.started_at)

    def _learn_of_url(self, flight: Flight, verdict: Verdict, now: float) -> None:
        """Learn of a URL and its destination: a URL that goes on failing blames it once.

        Where so many fail that it is left alone, each one that still fails says that it is down.
        """
        destination, url, began = flight.destination, part_of(flight), flight.started_at
        if verdict.outcome is Outcome.UNREACHABLE:
            self._breakers.report(destination, verdict, began, now)
            self._breakers.learned_nothing(url, began)
            return
        is_known = blames_destination(verdict) and self._breakers.fails(url, now)
        if not is_known or self._breakers.open_since(destination, now) is not None:
            self._breakers.report(destination, verdict, began, now)
        self._breakers.report(url, verdict, began, now, destination)

    def _park(self, claim: Claim, name: str, now: float) -> Unstarted | None:
        """Ask one name's pace and breaker. None: neither stands in the way."""
        parked = self._paces.park(claim, name, now)
        if parked is not None:
            return self.note(name, parked, now)
        return self._park_by_breaker(claim, name, now)

    def _park_by_breaker(
        self, claim: Claim, name: str, now: float, part: str = ""
    ) -> Unstarted | None:
        """Ask the breaker of a destination, or of its part. None: it does not stand in the way."""
        wait_s = self._breakers.wait_s(claim, part or name, now)
        if not wait_s:
            return None
        delay_s = ceil(wait_s * 10) / 10  # few different delays: each costs a call of release
        parked = Unstarted(claim=claim, delay_s=delay_s, parked=Parked.BREAKER)
        return self.note(name, parked, now, part)


def part_of(flight: Flight) -> str:
    """Name the part of a destination that a flight goes to: a domain behind it, or a URL there."""
    if flight.share != flight.destination:
        return flight.share
    return part_name(flight.destination, flight.claim.recipient)


@lru_cache(NAMES_MAX)
def part_name(destination: str, url: str) -> str:
    """Name a URL of a destination; it may be a secret, and the log shows the name."""
    return f"{destination} {sha256(url.encode()).hexdigest()[:16]}"
