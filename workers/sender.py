"""A sender thread: begins the claims it receives, and drives many transfers at once."""

import time
from collections.abc import Mapping

from msgspec.structs import replace

from service.clock import since_boot
from service.config.settings import Settings
from service.metrics import WorkerMetrics
from service.process.stdio import write
from workers.attempts import Attempts
from workers.channels.channel import NOT_ALLOWED, Answer, Channel, Line, Play, Post
from workers.channels.simulator import Simulated, is_played
from workers.claim import Claim, Ended, Outbox, Parked, Unstarted, Verdict
from workers.destinations import Destinations, Place
from workers.doubts import Doubts
from workers.flight import Flight
from workers.habits import Habits
from workers.inbox import Inbox
from workers.loop import Loop
from workers.name_queue import NAME_WAIT_S
from workers.names import ANSWER_MAX_S, Names
from workers.outcome import ABORTED, BROKEN, UNKNOWN_CHANNEL, unsent_result
from workers.plays import Plays
from workers.results import Results
from workers.shortage import PAUSE_S, Short, Shortages
from workers.slots import Slots
from workers.standing import Standing
from workers.transfers import Transfers

WAIT_S = 1.0
# Transfers that begin in one turn, so that what is urgent comes soon, and answers are read while
# they are still in the processor's cache. Lines have no such bound: all are written at once.
BEGIN_MAX = 32
# A claim whose name is being looked up is released for the first of these that is longer than the
# look-up has run; if none is, for LAST_PAUSE_S.
NAME_PAUSES_S = (0.25, 1.0)
LAST_PAUSE_S = 2.0
WRITTEN = Answer()


class Sender(Loop):
    """Owns its sockets to receivers. The claimer fills its inbox, the settler reads its outbox.

    Threads: load and give are the claimer's, finish and give_back the runner's; all else is its own
    thread's. None needs a lock: each field has one writer, but for the inbox.
    """

    def __init__(
        self,
        number: int,
        settings: Settings,
        metrics: WorkerMetrics,
        *,
        channels: Mapping[str, Channel],
        standing: Standing,
        shortages: Shortages,
        names: Names,
        doubts: Doubts,
        habits: Habits,
        slots: Slots,
        outbox: Outbox,
        attempts: Attempts | None = None,
    ) -> None:
        """`attempts`: this sender's spans; None: there are none."""
        super().__init__(f"sender-{number}", metrics)
        self._channels = channels
        self._standing = standing
        self._shortages = shortages
        self._slots = slots
        self._outbox = outbox
        self._attempts = attempts
        self._deadline_s = settings.send_deadline_s
        self._grace_ends: float | None = None  # written by the runner's thread only
        self._inbox = Inbox()
        self._lines: list[tuple[Claim, str]] = []
        self._results = Results(
            metrics, channels=channels, slots=slots, outbox=outbox, attempts=attempts
        )
        self._received = 0  # written by the claimer's thread only
        self._transfers: Transfers[Flight] = Transfers(settings, names, doubts, self._may_begin)
        self._plays = Plays(settings.send_deadline_s)
        self._destinations: Destinations[Flight] = Destinations(
            settings.sends_per_thread, settings.num_threads, habits
        )

    @property
    def load(self) -> int:
        """How many claims it has received and not handed on."""
        return self._received - self._results.handed_on

    def give(self, claims: list[Claim], *, is_urgent: bool = False) -> None:
        """Take over claims. `is_urgent`: they begin before others that wait here."""
        self._received += len(claims)
        self._inbox.put(claims, is_urgent=is_urgent)
        self._transfers.wake()

    def finish(self, grace_ends: float) -> None:
        """Start nothing more; end when nothing runs, or the grace is over."""
        self._grace_ends = grace_ends
        self.stop()
        self._transfers.wake()

    def give_back(self) -> None:
        """Release the inbox of a thread that is stuck."""
        for claim in self._inbox.emptied():
            self._outbox.put([Unstarted(claim=claim)])

    @property
    def _wanted(self) -> bool:
        """Whether something is left to do, and the grace is not over."""
        if self._grace_ends is None:
            return True
        has_work = bool(self._inbox) or self._transfers.is_busy or bool(self._plays)
        return has_work and time.monotonic() < self._grace_ends

    def turn(self) -> None:
        """Begin what came, move what runs, hand on the results."""
        self._begin_all()
        self._results.hand_on()
        for flight, answer in self._transfers.wait(self._wait_s()):
            try:
                self._land(flight, answer)
            except BaseException as error:  # as in _begin_all
                self._broke(flight.claim, error)
        now = time.monotonic()
        for flight, verdict in self._plays.ended(now):
            self._results.settle(flight.claim, verdict, flight)
            self._leave(flight, now, now - flight.started_at)
        for name, flight in self._destinations.overdue(now):
            self._park(name, flight, now)
        self._results.hand_on()

    def close(self) -> None:
        """Cut off what still runs: it may have arrived."""
        with self._surviving():
            self._results.release(flight.claim for flight in self._transfers.unbegun())
            for flight in self._transfers.abort():
                self._results.settle(flight.claim, ABORTED, flight)
        self._results.release(self._inbox.emptied())
        self._results.release(flight.claim for flight in self._plays.clear())
        self._results.release(flight.claim for flight in self._destinations.clear_queues())
        self._results.hand_on()
        self._transfers.close()

    def _begin_all(self) -> None:
        """Begin the first that came in; when stopping, release all of them."""
        if self._stopping.is_set():
            self._results.release(flight.claim for flight in self._destinations.clear_queues())
        for begun, claim in enumerate(self._inbox.emptied(), 1):
            try:
                self._begin(claim)
            except BaseException as error:  # an odd row, or a channel that calls sys.exit()
                self._broke(claim, error)
            if begun - len(self._lines) >= BEGIN_MAX and not self._stopping.is_set():
                break
        if self._lines:
            self._write_lines()

    def _begin(self, claim: Claim) -> None:
        """Begin a claim: its channel asks for a transfer, or for a line on standard output."""
        now = time.monotonic()
        channel = self._channel_of(claim)
        if self._stopping.is_set():
            self._results.release([claim])
        elif unsent := self._unsent(claim, now):
            self._results.add(unsent)
        elif channel is None:
            self._results.settle(claim, UNKNOWN_CHANNEL)
        elif destination := channel.destination(claim):
            self._find_place(claim, channel, destination, now)
        else:
            made = channel.prepare(claim)
            if isinstance(made, Line):
                self._lines.append((claim, made.text))
            elif isinstance(made, Verdict):
                self._results.settle(claim, made)
            else:  # its channel's name stands for the destination that it lacks
                self._find_place(claim, channel, claim.channel, now)

    def _unsent(self, claim: Claim, now: float) -> Ended | Unstarted | None:
        """Return what becomes of a claim that must not begin; None: it may."""
        if self._slots.is_shut:  # nobody could note that it was sent: it would be sent again
            return Unstarted(claim=claim)
        return unsent_result(claim, now, self._deadline_s, since_boot() - now - claim.slept_s)

    def _may_begin(self, flight: Flight, left_s: float, has_begun: bool) -> bool:
        """Return whether a transfer that waited may begin, or begin anew, and take `left_s`.

        One that has begun did so before its `expires_at`: only its lease counts.
        """
        claim = replace(flight.claim, expires_at=None) if has_begun else flight.claim
        now = time.monotonic()
        return unsent_result(claim, now, left_s, since_boot() - now - claim.slept_s) is None

    def _channel_of(self, claim: Claim) -> Channel | None:
        """Return how a claim is delivered, or played."""
        channel = self._channels.get(claim.channel)
        return Simulated(channel) if channel is not None and is_played(claim) else channel

    def _find_place(self, claim: Claim, channel: Channel, destination: str, now: float) -> None:
        """Begin a transfer within its destination's share, or park the claim."""
        at_once_max = channel.at_once_max
        if at_once_max is None:
            flight = Flight(claim, channel, destination, destination, now)
            place = self._destinations.enter(destination, flight, now)
        else:
            share = f"{destination} {channel.domain(claim)}"
            flight = Flight(claim, channel, destination, share, now)
            place = self._destinations.enter_behind(destination, at_once_max, share, flight, now)
        if place is Place.START:
            if not self._launch_one(flight):
                self._leave(flight, time.monotonic(), None)
        elif place is Place.NONE:
            self._park(flight.share, flight, now)

    def _park(self, name: str, flight: Flight, now: float) -> None:
        """Release a claim until its destination has room again."""
        delay_s = self._destinations.park_s(name, now)
        parked = Unstarted(claim=flight.claim, delay_s=delay_s, parked=Parked.SHARE)
        self._results.add(self._standing.note(name, parked, now))

    def _launch(self, flights: list[Flight]) -> None:
        """Begin transfers that waited; in place of one that cannot, the next in its queue."""
        while flights:
            flight = flights.pop(0)
            flight.started_at = time.monotonic()
            if not self._launch_one(flight, has_waited=True):
                flights += self._destinations.leave(flight.share, time.monotonic(), None)

    def _leave(
        self, flight: Flight, now: float, took_s: float | None, *, has_answered: bool = True
    ) -> None:
        """Give a flight's place back, and let the next in its destination's queue begin."""
        begun = self._destinations.leave(flight.share, now, took_s, has_answered=has_answered)
        self._launch(begun)

    def _launch_one(self, flight: Flight, *, has_waited: bool = False) -> bool:
        """Begin a transfer, unless it waited too long, has to wait or cannot be made."""
        now = flight.started_at
        try:
            unsent = self._unsent(flight.claim, now) if has_waited else None
            unsent = unsent or self._standing.park(flight)
            answer = None if unsent else self._start_transfer(flight)
        except BaseException as error:  # as in _begin_all
            self._broke(flight.claim, error)
            return False
        if unsent is not None:
            self._results.add(unsent)
            return False
        if isinstance(answer, Verdict):
            self._results.settle(flight.claim, answer, flight)
        elif answer is not None:
            self._conclude(flight, answer, now)
        return answer is None

    def _start_transfer(self, flight: Flight) -> Answer | Verdict | None:
        """Begin a transfer; a Verdict: it cannot be made; an Answer: libcurl does not take it."""
        try:
            claim = flight.claim if self._attempts is None else self._attempts.begin(flight.claim)
            made = flight.channel.prepare(claim)
            if not isinstance(made, Post):  # most are; a miss of isinstance() asks the metaclass
                if isinstance(made, Verdict):
                    return made
                if isinstance(made, Line):
                    raise TypeError("a channel with destinations writes no lines")
                if isinstance(made, Play):
                    return self._plays.start(made, flight)
            is_overdue = flight.claim.patience_ends <= flight.started_at
            return self._transfers.start(made, flight, ANSWER_MAX_S if is_overdue else NAME_WAIT_S)
        except MemoryError as error:
            return Answer(error=-1, error_text=str(error), short_of=Short.MEMORY)

    def _land(self, flight: Flight, answer: Answer) -> None:
        """Conclude an attempt, and let the next in the queue begin."""
        now = time.monotonic()
        took_s = None
        try:
            if self._conclude(flight, answer, now):
                took_s = now - flight.started_at
                self._results.took(flight.claim.channel, took_s)
        finally:
            self._leave(flight, now, took_s, has_answered=answer.status > 0)

    def _conclude(self, flight: Flight, answer: Answer, now: float) -> bool:
        """Settle an attempt, or release it if nothing left this host; say whether it was sent.

        Beyond its patience it is settled in any case, or what can never leave would never end.
        """
        claim, short = flight.claim, answer.short_of
        if answer.is_late:
            self._standing.not_sent(flight)
            unsent = self._unsent(claim, now)
            self._results.add(unsent or Unstarted(claim=claim))
            return False
        if answer.unresolved_s is not None and claim.patience_ends > now:
            self._put_off(flight, answer.unresolved_s, now)
            return False
        if answer.error == NOT_ALLOWED:  # our own answer: it says nothing about the destination
            self._standing.not_sent(flight)
            self._results.settle(claim, judged(flight.channel, answer), flight)
            return False
        if short is None or claim.patience_ends <= now:
            self._results.settle(claim, self._judged(flight, answer, now), flight)
            return True
        if short is Short.LOCAL_PORTS:  # each destination has its own: its breaker has to know
            self._judged(flight, answer, now)
        self._results.add(Unstarted(claim=claim, delay_s=PAUSE_S))
        with self._surviving():
            self._shortages.met(short, now)
        return False

    def _put_off(self, flight: Flight, asked_s: float, now: float) -> None:
        """Release a claim whose name is being looked up; the older the look-up, for the longer."""
        self._standing.not_sent(flight)
        delay_s = next((pause_s for pause_s in NAME_PAUSES_S if asked_s < pause_s), LAST_PAUSE_S)
        parked = Unstarted(claim=flight.claim, delay_s=delay_s, parked=Parked.NAME)
        self._results.add(self._standing.note(flight.destination, parked, now))

    def _judged(self, flight: Flight, answer: Answer, now: float) -> Verdict:
        """Return what an answer means, and let the destination's standing learn from it."""
        verdict = BROKEN
        try:
            verdict = judged(flight.channel, answer)
            return self._standing.report(flight, verdict, now)
        except BaseException as error:  # as in _begin_all; what the answer means stays true
            self._survived(error, **flight.claim.log_fields)
            return verdict

    def _write_lines(self) -> None:
        """Write the lines of one batch at once."""
        lines, self._lines = self._lines, []
        written, reason = write([text for _, text in lines])
        unwritten = Answer(error=-1, error_text=reason)
        for place, (claim, _) in enumerate(lines):
            answer = WRITTEN if place < written else unwritten
            try:
                self._results.settle(claim, judged(self._channels[claim.channel], answer))
            except BaseException as error:  # as in _begin_all
                self._broke(claim, error)

    def _broke(self, claim: Claim, error: BaseException) -> None:
        """Settle a claim that met an unexpected error, unless it has a result already."""
        self._survived(error, **claim.log_fields)
        if not self._results.has(claim):
            self._results.settle(claim, BROKEN)

    def _wait_s(self) -> float:
        """Return how long to wait for the sockets: not at all while more is to begin."""
        if self._inbox:
            return 0.0
        now = time.monotonic()
        wait_s = min(WAIT_S, self._plays.next_s(now))
        return wait_s if self._grace_ends is None else min(wait_s, max(0.0, self._grace_ends - now))


def judged(channel: Channel, answer: Answer) -> Verdict:
    """Let a channel say what an answer means. Raises TypeError if what it says is no verdict."""
    verdict = channel.judge(answer)
    if not isinstance(verdict, Verdict):
        raise TypeError(f"judge() gave {type(verdict).__name__}")
    return verdict
