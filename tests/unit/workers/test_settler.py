from contextlib import suppress

import pytest
from prometheus_client import CollectorRegistry

from service.config.settings import Settings
from service.errors import DatabaseAway, TookTooLong
from service.metrics import WorkerMetrics
from service.model.words import Outcome, Status
from tests.unit.workers.claims import a_claim
from workers.claim import Ended, Key, Unstarted, Verdict
from workers.rollups import Rollups
from workers.settler import BATCH_MAX, ENOUGH, LOCKED_WAIT_S, MANY, PROBES, Settler
from workers.slots import Slots
from workers.store import LOCKED, Settled, Unmoved

SENT = Verdict(outcome=Outcome.SENT, code="200")


class Ledger:
    """Settles all but what is locked, and remembers how many came with each call."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.locked: set[Key] = set()
        self.released: list[tuple[int, float]] = []
        self.refused: set[Key] = set()
        self.is_away = False
        self.unopened: Exception | None = None  # of its connection
        self.error: Exception | None = None  # of settle
        self.stale: set[Key] = set()

    def open(self):
        if self.unopened:
            raise self.unopened

    def close(self):
        pass

    def settle(self, batch):
        self.batches.append(len(batch))
        if self.error:
            raise self.error
        settled = Settled(status=Status.SENT, due_in_s=None, age_s=0.1, counted=True)
        locked = Settled(status=LOCKED, due_in_s=None, age_s=0.1, counted=None)
        keys = [item.claim.key for item in batch if item.claim.key not in self.stale]
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


def fail(settler, error=DatabaseAway) -> None:
    """Take a turn that fails."""
    with pytest.raises(error):
        settler.turn()


def claimed(settler, count: int, of: str) -> list[Key]:
    """Let as many sends end, which were claimed."""
    batch = ended(count, of)
    keys = [item.claim.key for item in batch]
    settler._slots.take(keys)
    settler._slots.ended(count)
    settler.inbox.put(batch)
    return keys


def test_nothing_is_claimed_before_there_is_a_connection_to_settle_with(settler, ledger):
    ledger.unopened = DatabaseAway("too many connections")
    settler._stopping.set()  # its thread ends at once: this one takes the turns
    settler._grace_ends = 0.0
    settler.start()
    settler.join()
    settler._grace_ends = None
    assert settler._slots.free(0) == 0
    fail(settler)
    assert settler._slots.free(0) == 0
    ledger.unopened = None
    settler._stand_by()
    assert settler._slots.free(0) == 1000


@pytest.mark.parametrize("error", [DatabaseAway("gone"), TookTooLong("slow"), RuntimeError("odd")])
def test_nothing_is_claimed_while_a_connection_cannot_be_opened_again(settler, ledger, error):
    ledger.unopened = error
    fail(settler, type(error))
    assert settler._slots.is_shut
    ledger.unopened = None
    settler._stand_by()
    assert settler._slots.free(0) == 1000


@pytest.mark.parametrize("error", [DatabaseAway("gone"), TookTooLong("slow")])
def test_nothing_is_claimed_while_nothing_can_be_settled(settler, ledger, error):
    claimed(settler, 3, "some")
    ledger.error = error
    for _ in range(2):
        fail(settler)
        assert settler._slots.is_shut
    ledger.error = None
    settler.turn()
    assert not settler._slots.is_shut
    settler.turn()
    assert settler._slots.free(0) == 1000
    assert settler.settled == 3


def test_nothing_is_claimed_while_nothing_can_be_released(settler, ledger):
    settler.inbox.put(unstarted(1, "done"))
    settler.turn()
    ledger.is_away = True
    settler.inbox.put(unstarted(1, "some"))
    fail(settler)
    assert settler._slots.is_shut
    ledger.is_away = False
    ledger.locked = set(claimed(settler, 1, "locked"))  # so that it is never idle
    settler.turn()
    assert settler._slots.free(0) == 1000


def test_who_finds_all_stale_after_a_failure_claims_one_until_that_is_settled(settler, ledger):
    ledger.stale = set(claimed(settler, 3, "stale"))
    ledger.error = DatabaseAway("slow")
    fail(settler)
    ledger.error = None
    settler.turn()
    settler._stand_by()
    assert settler._slots.free(0) == PROBES
    claimed(settler, PROBES, "probe")
    assert settler._slots.free(0) == 0
    settler.turn()
    assert settler._slots.free(0) == 1000


def test_what_is_stale_alone_holds_up_no_claims(settler, ledger):
    ledger.stale = set(claimed(settler, 3, "stale"))
    settler.turn()
    assert settler._slots.free(0) == 1000


def test_what_is_locked_after_a_failure_holds_up_no_claims(settler, ledger):
    ledger.locked = set(claimed(settler, 1, "locked"))
    ledger.error = DatabaseAway("gone")
    fail(settler)
    ledger.error = None
    settler.turn()
    assert settler._slots.free(0) == 1000


def test_who_may_not_settle_claims_one_until_that_is_settled(settler, ledger):
    claimed(settler, 3, "lost")
    ledger.error = RuntimeError("permission denied")
    for _ in range(2):  # each alone, then as a broken attempt
        settler.turn()
    assert settler._slots.in_hand == 0
    assert settler._slots.free(0) == PROBES
    ledger.error = None
    claimed(settler, 1, "probe")
    settler.turn()
    assert settler._slots.free(0) == 1000


def test_what_takes_too_long_is_settled_in_smaller_batches(settler, ledger):
    claimed(settler, BATCH_MAX, "many")
    ledger.error = TookTooLong("slow")
    for _ in range(7):
        fail(settler)
    assert ledger.batches == [1000, 250, 62, 15, 3, 1, 1]
    ledger.error = None
    while settler._slots.in_hand:
        settler.turn()
    assert ledger.batches[7:] == [1, 4, 16, 64, 256, 659]


def test_one_that_always_takes_too_long_keeps_no_other_from_being_settled(settler, ledger):
    [odd] = claimed(settler, 1, "odd")
    claimed(settler, 20, "good")
    settle = ledger.settle

    def slow(batch):
        if any(item.claim.key == odd for item in batch):
            raise TookTooLong("slow")
        return settle(batch)

    ledger.settle = slow
    for _ in range(30):
        with suppress(TookTooLong):
            settler.turn()
    assert settler.settled == 20
    assert [item.claim.key for item in settler._ended] == [odd]


def test_what_cannot_be_released_keeps_nothing_from_being_settled(settler, ledger):
    claimed(settler, 3, "some")
    settler.inbox.put(unstarted(3, "back"))

    def slow(_keys, _delay_s):
        raise TookTooLong("slow")

    ledger.release = slow
    fail(settler, TookTooLong)
    assert settler.settled == 3


def test_one_that_cannot_be_released_in_time_does_not_shut_the_worker(settler, ledger):
    put = unstarted(20, "back")
    settler._slots.take([item.claim.key for item in put])
    settler._slots.ended(len(put))
    settler.inbox.put(put)
    odd, release = put[7].claim.key, ledger.release

    def slow(keys, delay_s):
        if odd in keys:
            raise TookTooLong("slow")
        return release(keys, delay_s)

    ledger.release = slow
    for _ in range(30):
        with suppress(TookTooLong):
            settler.turn()
        if not settler._unstarted:
            break
    settler._stand_by()
    assert sum(count for count, _ in ledger.released) == 19
    assert settler._slots.free(0) == 1000


def test_one_row_that_does_not_move_stops_no_claims(settler, ledger):
    claimed(settler, 1, "odd")
    for error, is_shut in (DatabaseAway("gone"), True), (Unmoved("full"), False):
        ledger.error = error
        fail(settler)
        assert settler._slots.is_shut is is_shut
