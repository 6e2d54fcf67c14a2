import pytest
from prometheus_client import CollectorRegistry

from service.config.settings import Settings
from service.errors import DatabaseAway
from service.metrics import WorkerMetrics
from service.model.words import Outcome, Status
from tests.unit.workers.claims import a_claim
from workers.claim import Ended, Key, Unstarted, Verdict
from workers.rollups import Rollups
from workers.settler import BATCH_MAX, ENOUGH, LOCKED_WAIT_S, MANY, Settler
from workers.slots import Slots
from workers.store import LOCKED, Settled

SENT = Verdict(outcome=Outcome.SENT, code="200")


class Ledger:
    """Settles all but what is locked, and remembers how many came with each call."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.locked: set[Key] = set()
        self.released: list[tuple[int, float]] = []
        self.refused: set[Key] = set()
        self.is_away = False

    def settle(self, batch):
        self.batches.append(len(batch))
        settled = Settled(status=Status.SENT, due_in_s=None, age_s=0.1, counted=True)
        locked = Settled(status=LOCKED, due_in_s=None, age_s=0.1, counted=None)
        keys = [item.claim.key for item in batch]
        return {key: locked if key in self.locked else settled for key in keys}

    def release(self, keys, delay_s):
        if self.is_away and self.released:
            raise DatabaseAway("too slow")
        self.released.append((len(keys), delay_s))
        return {key: key not in self.refused for key in keys if key not in self.locked}


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


def test_a_thousand_that_are_locked_hold_no_others_up(monkeypatch, settler, ledger):
    waits: list[float] = []
    monkeypatch.setattr("workers.settler.time.sleep", waits.append)
    locked, free = ended(BATCH_MAX, "locked"), ended(200, "free")
    ledger.locked = {item.claim.key for item in locked}
    settler.inbox.put(locked + free)
    settler.turn()
    assert waits == [LOCKED_WAIT_S]  # all that was asked for was locked
    settler.turn()
    assert settler.settled == 200
    ledger.locked = set()
    settler.turn()
    assert settler.settled == BATCH_MAX + 200


def unstarted(count: int, of: str, delay_s: float = 0.0) -> list[Unstarted]:
    """Make claims that are to be released."""
    return [Unstarted(claim=a_claim(id=f"{of}-{n}"), delay_s=delay_s) for n in range(count)]


def test_what_is_locked_is_released_by_the_claimer_later_and_what_is_refused_is_not(
    settler, ledger
):
    batch = unstarted(4, "some")
    keys = [item.claim.key for item in batch]
    settler._slots.take(keys)
    ledger.locked, ledger.refused = {keys[0]}, {keys[1]}
    settler.inbox.put(batch[:1])
    settler.turn()
    assert settler._slots.pop_doubt()  # the claimer asks the ledger, which names what is locked
    settler.inbox.put(batch[1:])
    settler.turn()
    assert not settler._slots.pop_doubt()
    assert settler._slots.in_hand == 0


def test_releases_come_in_batches_and_what_is_done_is_not_asked_for_again(settler, ledger):
    settler.inbox.put(unstarted(BATCH_MAX + 1, "some") + unstarted(2, "others", 1.5))
    ledger.is_away = True
    with pytest.raises(DatabaseAway):
        settler.turn()
    assert ledger.released == [(2, 1.5)]
    ledger.is_away = False
    settler.turn()
    assert ledger.released == [(2, 1.5), (1, 0.0), (BATCH_MAX, 0.0)]
