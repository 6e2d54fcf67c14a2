"""A sender thread: starts what it is given, drives many transfers at once, tells how each ended."""

import sys
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

from service.config import Settings
from service.metrics import WorkerMetrics
from workers.breakers import Breakers
from workers.channels.channel import Answer, Channel, Line
from workers.claim import Claim, Ended, Outbox, Parked, Unstarted, Verdict
from workers.destinations import Destinations, Place
from workers.doubts import Doubts
from workers.loop import Loop
from workers.name_line import LINE_S
from workers.names import ANSWER_MAX_S, Names
from workers.outcome import ABORTED, BROKEN, UNKNOWN_CHANNEL, refused
from workers.pace import Paces
from workers.shortage import PAUSE_S, Short, Shortages
from workers.slots import Slots
from workers.transfers import Transfers

WAIT_S = 1.0
NAME_PAUSES_S = (0.25, 1.0)  # before a name that is looked up is asked for again, as that takes
LAST_PAUSE_S = 2.0
WRITTEN = Answer()


@dataclass(slots=True)
class Flight:
    """A claim on its way out. `started_at`: monotonic, when its transfer began."""

    claim: Claim
    channel: Channel
    destination: str
    started_at: float


class Sender(Loop):
    """Owns its sockets to the world. The claimer fills its inbox, the settler reads its outbox."""

    def __init__(
        self,
        number: int,
        settings: Settings,
        metrics: WorkerMetrics,
        *,
        channels: Mapping[str, Channel],
        breakers: Breakers,
        paces: Paces,
        shortages: Shortages,
        names: Names,
        doubts: Doubts,
        slots: Slots,
        outbox: Outbox,
    ) -> None:
        super().__init__(f"sender-{number}", metrics)
        self.channels = channels
        self.send_seconds = {name: metrics.send_seconds.labels(name) for name in channels}
        self.breakers = breakers
        self.paces = paces
        self.shortages = shortages
        self.slots = slots
        self.outbox = outbox
        self.deadline_s = settings.send_deadline_s
        self.grace_ends: float | None = None
        self.inbox: deque[Claim] = deque()
        self.lines: list[tuple[Claim, str]] = []
        self.over: list[Ended | Unstarted] = []
        self.given = 0  # written by the claimer's thread only
        self.done = 0  # written by this thread only
        self.transfers: Transfers[Flight] = Transfers(settings, names, doubts)
        self.destinations: Destinations[Flight] = Destinations(
            settings.sends_per_thread, settings.num_threads
        )

    @property
    def load(self) -> int:
        """How many it was given and has not ended."""
        return self.given - self.done

    def give(self, claims: list[Claim]) -> None:
        """Take over claims (the claimer's call)."""
        self.given += len(claims)
        self.inbox.extend(claims)
        self.transfers.wake()

    def finish(self, grace_ends: float) -> None:
        """Start nothing more; end when nothing runs, or with the grace (the runner's call)."""
        self.grace_ends = grace_ends
        self.stop()
        self.transfers.wake()

    @property
    def wanted(self) -> bool:
        """Whether something is left to do in the grace."""
        if self.grace_ends is None:
            return True
        return bool(self.inbox or self.transfers.running) and time.monotonic() < self.grace_ends

    def turn(self) -> None:
        """Start what came, move what runs, hand on what is over."""
        self.begin_all()
        self.hand_on()
        for flight, answer in self.transfers.wait(self.wait_s()):
            self.land(flight, answer)
        now = time.monotonic()
        for name, flight in self.destinations.overdue(now):
            self.park(name, flight, now)
        self.hand_on()

    def close(self) -> None:
        """Cut off what still runs: it may have arrived."""
        self.release(flight.claim for flight in self.transfers.unresolved())
        for flight in self.transfers.abort():
            self.settle(flight.claim, ABORTED, flight.started_at)
        self.release(self.inbox)
        self.release(flight.claim for flight in self.destinations.clear_lines())
        self.hand_on()
        self.transfers.close()

    def begin_all(self) -> None:
        """Start what came in; when stopping, give it back."""
        if self.stopping.is_set():
            self.release(flight.claim for flight in self.destinations.clear_lines())
        while self.inbox:
            claim = self.inbox.popleft()
            try:
                self.begin(claim)
            except Exception as error:  # one odd row must not hold up the others
                self.survived(error, notification_id=claim.id, attempt=claim.attempt)
                self.settle(claim, BROKEN)
        if self.lines:
            self.write_lines()

    def begin(self, claim: Claim) -> None:
        """Find out what a claim asks for, and start it."""
        now = time.monotonic()
        channel = self.channels.get(claim.channel)
        if self.stopping.is_set():
            self.release([claim])
        elif refusal := refused(claim, now, self.deadline_s):
            self.over.append(refusal)
        elif channel is None:
            self.settle(claim, UNKNOWN_CHANNEL)
        elif destination := channel.destination(claim):
            self.find_place(Flight(claim, channel, destination, now))
        else:
            made = channel.prepare(claim)
            if isinstance(made, Line):
                self.lines.append((claim, made.text))
            elif isinstance(made, Verdict):
                self.settle(claim, made)

    def find_place(self, flight: Flight) -> None:
        """Start a transfer within its destination's share, or give the claim back for later."""
        name, at_once_max = flight.destination, flight.channel.at_once_max
        place = self.destinations.enter(name, flight, at_once_max, flight.started_at)
        if place is Place.START:
            self.launch(flight)
        elif place is Place.NONE:
            self.park(name, flight, flight.started_at)

    def park(self, name: str, flight: Flight, now: float) -> None:
        """Give a claim back until its destination has room again."""
        delay_s = self.destinations.park_s(name, now)
        self.over.append(Unstarted(claim=flight.claim, delay_s=delay_s, parked=Parked.SHARE))

    def launch(self, flight: Flight | None) -> None:
        """Begin a transfer; one that may no longer begin lets the next in line."""
        while flight is not None and not self.launched(flight):
            flight = self.destinations.leave(flight.destination, time.monotonic(), None)

    def launched(self, flight: Flight) -> bool:
        """Begin a transfer, unless it waited too long, has to wait or cannot be made."""
        flight.started_at = time.monotonic()
        refusal = refused(flight.claim, flight.started_at, self.deadline_s)
        if refusal is None:
            refusal = self.turned_away(flight)
        if refusal is not None:
            self.over.append(refusal)
            return False
        answer = self.started(flight)
        if isinstance(answer, Verdict):
            self.settle(flight.claim, answer)
        elif answer is not None:
            self.conclude(flight, answer, flight.started_at)
        return answer is None

    def started(self, flight: Flight) -> Answer | Verdict | None:
        """Begin a transfer; a Verdict: it cannot be made; an Answer: libcurl does not take it."""
        try:
            made = flight.channel.prepare(flight.claim)
            if isinstance(made, Verdict):
                return made
            assert not isinstance(made, Line)
            over = flight.claim.patience_ends <= flight.started_at
            return self.transfers.start(made, flight, ANSWER_MAX_S if over else LINE_S)
        except MemoryError as error:
            return Answer(error=-1, error_text=str(error), short_of=Short.MEMORY)
        except Exception as error:  # as in begin_all
            self.survived(error, notification_id=flight.claim.id, attempt=flight.claim.attempt)
            return BROKEN

    def turned_away(self, flight: Flight) -> Unstarted | None:
        """Give a claim back until its destination may be asked again. None: it may now."""
        claim, name, now = flight.claim, flight.destination, flight.started_at
        parked = self.paces.parked(claim, name, now)
        if parked is not None:
            return parked
        wait_s = self.breakers.wait_s(claim, name, now)
        if not wait_s:
            return None
        delay_s = ceil(wait_s * 10) / 10  # few different ones: each is a call of release
        return Unstarted(claim=claim, delay_s=delay_s, parked=Parked.BREAKER)

    def land(self, flight: Flight, answer: Answer) -> None:
        """Conclude an attempt, and let the next in line begin."""
        now = time.monotonic()
        took_s = None
        if self.conclude(flight, answer, now):
            took_s = now - flight.started_at
            self.send_seconds[flight.claim.channel].observe(took_s)
        self.launch(self.destinations.leave(flight.destination, now, took_s))

    def conclude(self, flight: Flight, answer: Answer, now: float) -> bool:
        """Judge an answer. What never left this host is given back instead; says which it was.

        Beyond its patience that counts, too, or what can never leave would never end.
        """
        claim, short = flight.claim, answer.short_of
        if answer.unresolved_s is not None and claim.patience_ends > now:
            self.put_off(flight, answer.unresolved_s)
            return False
        if short is None or claim.patience_ends <= now:
            self.settle(claim, self.judged(flight, answer, now), flight.started_at)
            return True
        if short is Short.LOCAL_PORTS:  # they are counted by where they lead: a matter of breakers
            self.judged(flight, answer, now)
        self.shortages.met(short, now)
        self.over.append(Unstarted(claim=claim, delay_s=PAUSE_S))
        return False

    def put_off(self, flight: Flight, asked_s: float) -> None:
        """Give a claim back, as its name is being looked up: a while longer, most likely."""
        self.breakers.not_sent(flight.destination, flight.started_at)
        delay_s = next((pause_s for pause_s in NAME_PAUSES_S if asked_s < pause_s), LAST_PAUSE_S)
        self.over.append(Unstarted(claim=flight.claim, delay_s=delay_s, parked=Parked.NAME))

    def judged(self, flight: Flight, answer: Answer, now: float) -> Verdict:
        """Say what an answer means, to this notification and to its destination."""
        claim, name, started_at = flight.claim, flight.destination, flight.started_at
        try:
            verdict = flight.channel.judge(answer)
        except Exception as error:  # as in begin_all
            self.survived(error, notification_id=claim.id, attempt=claim.attempt)
            return BROKEN
        self.breakers.report(name, verdict, started_at, now)
        return self.paces.report(claim, name, verdict, started_at, now)

    def write_lines(self) -> None:
        """Write the lines of one batch at once."""
        answer = WRITTEN
        try:
            sys.stdout.write("".join([f"{text}\n" for _, text in self.lines]))
            sys.stdout.flush()
        except (OSError, ValueError) as error:  # ValueError: somebody closed it
            answer = Answer(error=-1, error_text=str(error))
        for claim, _ in self.lines:
            self.settle(claim, self.channels[claim.channel].judge(answer))
        self.lines.clear()

    def settle(self, claim: Claim, verdict: Verdict, started_at: float | None = None) -> None:
        """Note how an attempt ended. `started_at` None: just now."""
        now = time.monotonic()
        began = now if started_at is None else started_at
        self.over.append(
            Ended(claim=claim, verdict=verdict, started_at=began, took_ms=int((now - began) * 1000))
        )

    def release(self, claims: Iterable[Claim]) -> None:
        """Note claims that were not started."""
        self.over += [Unstarted(claim=claim) for claim in claims]

    def hand_on(self) -> None:
        """Give what is over to the settler, and the slots back."""
        if self.over:
            over, self.over = self.over, []
            self.done += len(over)
            self.slots.ended(len(over))
            self.outbox.put(over)

    def wait_s(self) -> float:
        """Return how long the sockets may be waited for."""
        if self.grace_ends is None:
            return WAIT_S
        return min(WAIT_S, max(0.0, self.grace_ends - time.monotonic()))
