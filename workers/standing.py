"""What is known of destinations, and of mail domains behind a server: which may be asked, and when.

A mail server's breaker and pace learn from what it says of itself. Answers from RCPT on are about
the mail's domain, which has a breaker and a pace of its own; the server is blamed only once for
each domain that fails: one domain that hangs is no outage, ten at once are.
ops/adr/0016-mail-shares.md.
"""

from math import ceil

from loguru import logger

from service.model.words import Outcome
from workers.breakers import Breakers
from workers.claim import Claim, Parked, Unstarted, Verdict
from workers.flight import Flight
from workers.outcome import blames_destination
from workers.pace import Paces
from workers.parkings import Kept, Parking, Parkings


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
        parked = None
        if flight.share != flight.destination:
            parked = self._park(claim, flight.share, now)
        return parked or self._park(claim, flight.destination, now)

    def report(self, flight: Flight, verdict: Verdict, now: float) -> Verdict:
        """Learn what came of a send; return the verdict, with the wait if it was throttled."""
        is_sent = verdict.outcome is Outcome.SENT
        if is_sent and self._breakers.is_empty and self._paces.is_empty:
            return verdict
        claim, destination, began = flight.claim, flight.destination, flight.started_at
        if not verdict.of_domain or flight.share == destination:
            self._breakers.report(destination, verdict, began, now)
            return self._paces.report(claim, destination, verdict, began, now)
        if blames_destination(verdict) and self._breakers.fails(flight.share, now):
            self._breakers.learned_nothing(destination, began)
        else:
            self._breakers.report(destination, verdict, began, now)
        self._breakers.report(flight.share, verdict, began, now)
        if verdict.outcome is not Outcome.THROTTLED or not self._paces.knows(flight.share):
            self._paces.report(claim, destination, verdict, began, now)
        return self._paces.report(claim, flight.share, verdict, began, now)

    def note(self, name: str, put_off: Unstarted, now: float) -> Unstarted:
        """Remember for people that a claim for this destination is put off; return it."""
        code, since = None, None
        if put_off.parked is Parked.BREAKER:
            code, since = self._breakers.code(name), self._breakers.open_since(name, now)
        self._parkings.note(name, put_off, now, code, since)
        return put_off

    def kept_back(self, now: float) -> dict[Kept, Parking]:
        """Return from which destinations rows are kept back now."""
        return self._parkings.current(
            now, lambda name: self._breakers.open_since(name, now) is not None
        )

    def let_through(self, channel: str, destination: str, now: float) -> None:
        """Let the next send to a destination begin, whatever keeps it back: it is the probe."""
        for name, urls in self._parkings.let_through(channel, destination, now).items():
            self._breakers.let_through(name, now)
            self._paces.let_through(name, urls, now)
            logger.info("probe_let_through", channel=channel, destination=destination)

    def not_sent(self, flight: Flight) -> None:
        """Let another send be the probe if this one was: it never left this host."""
        self._breakers.not_sent(flight.destination, flight.started_at)
        self._breakers.not_sent(flight.share, flight.started_at)

    def _park(self, claim: Claim, name: str, now: float) -> Unstarted | None:
        """Ask one name's pace and breaker. None: neither stands in the way."""
        parked = self._paces.park(claim, name, now)
        if parked is not None:
            return self.note(name, parked, now)
        wait_s = self._breakers.wait_s(claim, name, now)
        if not wait_s:
            return None
        delay_s = ceil(wait_s * 10) / 10  # few different delays: each costs a call of release
        parked = Unstarted(claim=claim, delay_s=delay_s, parked=Parked.BREAKER)
        return self.note(name, parked, now)
