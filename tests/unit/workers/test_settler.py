import pytest
from prometheus_client import CollectorRegistry

from service.config.settings import Settings
from service.metrics import WorkerMetrics
from service.model import Outcome, Status
from tests.unit.workers.claims import a_claim
from workers.claim import Ended, Key, Verdict
from workers.rollups import Rollups
from workers.settler import ENOUGH, MANY, Settler
from workers.slots import Slots
from workers.store import LOCKED, Settled

SENT = Verdict(outcome=Outcome.SENT, code="200")


class Ledger:
    """Settles all but what is locked, and remembers how many came with each call."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.locked: set[Key] = set()

    def settle(self, batch):
        self.batches.append(len(batch))
        settled = Settled(status=Status.SENT, due_in_s=None, age_s=0.1, counted=True)
        locked = Settled(status=LOCKED, due_in_s=None, age_s=0.1, counted=None)
        keys = [item.claim.key for item in batch]
        return {key: locked if key in self.locked else settled for key in keys}


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def settler(ledger):
    metrics = WorkerMetrics(CollectorRegistry())
    return Settler(Settings(), metrics, store=ledger, slots=Slots(1000, 4000), rollups=Rollups())


def ended(count: int, of: str) -> list[Ended]:
    """Make attempts that sent."""
    return [
        Ended(claim=a_claim(id=f"{of}-{n}"), verdict=SENT, started_at=0.0, took_ms=1)
        for n in range(count)
    ]


def during_a_moment(monkeypatch, settler, *batches):
    """Let these end while the settler waits a moment, one batch each time."""
    left = list(batches)

    def moment(_: float) -> None:
        settler.inbox.put(left.pop(0))

    monkeypatch.setattr("workers.settler.time.sleep", moment)
    return left


def test_while_many_end_they_are_gathered_for_a_moment(monkeypatch, settler, ledger):
    left = during_a_moment(monkeypatch, settler, ended(90, "later"))
    settler.inbox.put(ended(MANY, "first"))
    settler.turn()
    settler.inbox.put(ended(10, "second"))
    settler.turn()
    assert ledger.batches == [MANY, 100]
    assert left == []


def test_what_ends_alone_is_settled_at_once(monkeypatch, settler, ledger):
    left = during_a_moment(monkeypatch, settler, ended(90, "never"))
    for name in ("first", "second"):
        settler.inbox.put(ended(MANY - 1, name))
        settler.turn()
    assert ledger.batches == [MANY - 1, MANY - 1]
    assert len(left) == 1


def test_enough_is_settled_at_once(monkeypatch, settler, ledger):
    left = during_a_moment(monkeypatch, settler, ended(90, "never"))
    for name in ("first", "second"):
        settler.inbox.put(ended(ENOUGH, name))
        settler.turn()
    assert ledger.batches == [ENOUGH, ENOUGH]
    assert len(left) == 1


def test_nothing_is_gathered_while_it_stops(monkeypatch, settler, ledger):
    left = during_a_moment(monkeypatch, settler, ended(90, "never"))
    settler.inbox.put(ended(MANY, "first"))
    settler.turn()
    settler.finish(float("inf"))
    settler.inbox.put(ended(10, "second"))
    settler.turn()
    assert ledger.batches == [MANY, 10]
    assert len(left) == 1


def test_what_somebody_has_locked_stays_in_hand_and_is_settled_again(settler, ledger):
    batch = ended(4, "some")
    keys = [item.claim.key for item in batch]
    settler._slots.take(keys)
    ledger.locked = set(keys[1:3])
    settler.inbox.put(batch)
    settler.turn()
    assert settler._slots.unknown(keys) == [keys[0], keys[3]]
    assert settler.settled == 2
    ledger.locked = set()
    settler.turn()
    assert settler._slots.in_hand == 0
    assert ledger.batches == [4, 2]
