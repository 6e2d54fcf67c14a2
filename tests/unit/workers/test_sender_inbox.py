"""A sender's inbox: what begins first, and who may empty it at the same time."""

import sys
import threading
import time
from queue import SimpleQueue

import pytest
from prometheus_client import CollectorRegistry

from service.config.settings import Settings
from service.metrics import WorkerMetrics
from service.model.words import Outcome
from tests.unit.workers.claims import a_claim
from workers.breakers import Breakers
from workers.channels.log import LogChannel
from workers.claim import Unstarted, Verdict
from workers.doubts import Doubts
from workers.habits import Habits
from workers.names import Names
from workers.paces import Paces
from workers.parkings import Parkings
from workers.sender import BEGIN_MAX, Sender
from workers.shortage import Shortages
from workers.slots import Slots
from workers.standing import Standing

CLAIMS = 2000
ROUNDS = 20


@pytest.fixture(autouse=True)
def many_switches():
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Told:
    """A channel that sends nothing, and knows the answer."""

    at_once_max = None

    def destination(self, claim):
        return ""

    def domain(self, claim):
        return ""

    def prepare(self, claim):
        return Verdict(outcome=Outcome.SENT)

    def judge(self, answer):
        raise AssertionError("nothing was sent")


def idle_sender():
    """Make a sender that does not run."""
    settings, metrics = Settings(), WorkerMetrics(CollectorRegistry())
    return Sender(
        0,
        settings,
        metrics,
        channels={"log": LogChannel(), "webhook": Told()},
        standing=Standing(Breakers(settings, metrics), Paces(), Parkings()),
        shortages=Shortages(metrics),
        names=Names(),
        doubts=Doubts(),
        habits=Habits(),
        slots=Slots(1, 1),
        outbox=SimpleQueue(),
    )


def stopping_sender():
    """Make a sender that does not run, and is to stop: it releases what it is given."""
    sender = idle_sender()
    sender.finish(time.monotonic())
    return sender


def beside(sender, step):
    """Run a step of the sender's own thread while the runner gives its inbox back."""
    sender.give([a_claim(id=str(n), channel="log") for n in range(CLAIMS)])
    runner = threading.Thread(target=sender.give_back)
    runner.start()
    try:
        step()
    finally:
        runner.join()


def released(sender):
    """Take all that was released, in order of the ids."""
    items = []
    while not sender._outbox.empty():
        items += sender._outbox.get()
    assert all(isinstance(item, Unstarted) for item in items)
    return sorted(int(item.claim.id) for item in items)


def test_each_claim_is_given_back_once_when_a_stuck_thread_wakes():
    sender = stopping_sender()
    for _ in range(ROUNDS):
        beside(sender, sender.turn)
        assert released(sender) == list(range(CLAIMS))
    sender.close()


def test_each_claim_is_given_back_once_when_a_stuck_thread_ends():
    for _ in range(ROUNDS):
        sender = stopping_sender()
        beside(sender, sender.close)
        assert released(sender) == list(range(CLAIMS))


def begun_by(sender):
    """Let it turn once; give the ids that it has begun and ended."""
    sender.turn()
    items = []
    while not sender._outbox.empty():
        items += sender._outbox.get()
    return [int(item.claim.id) for item in items]


def claims(first, last, channel="webhook"):
    return [a_claim(id=str(n), channel=channel) for n in range(first, last)]


def test_what_is_urgent_begins_before_what_was_there_and_in_its_own_order():
    sender = idle_sender()
    sender.give(claims(0, 2 * BEGIN_MAX))
    sender.give(claims(1000, 1003), is_urgent=True)

    first, second, third = begun_by(sender), begun_by(sender), begun_by(sender)

    assert first == [1000, 1001, 1002, *range(BEGIN_MAX - 3)]
    assert second + third == [*range(BEGIN_MAX - 3, 2 * BEGIN_MAX)]
    assert sender.load == 0
    sender.close()


def test_lines_are_written_at_once_however_many(capfd):
    sender = idle_sender()
    sender.give(claims(0, 3 * BEGIN_MAX, "log"))
    assert begun_by(sender) == [*range(3 * BEGIN_MAX)]
    sender.close()


def test_what_was_not_begun_is_given_back_while_nothing_can_be_settled():
    sender = idle_sender()
    sender._slots.allow(0)
    sender.give([a_claim(id=str(n), channel="log") for n in range(CLAIMS)])
    while sender.load:
        sender.turn()
    assert released(sender) == list(range(CLAIMS))
    sender.close()
