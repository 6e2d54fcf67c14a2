"""What sends did is counted by destination, in bounded memory, and taken once."""

import pytest

from service.model.words import Outcome
from tests.unit.workers.claims import a_claim
from workers.claim import Ended, Verdict
from workers.rollups import BOUNDS_MS, KNOWN_MAX, OTHERS, WRITTEN_MAX, Rollups

SENT = Verdict(outcome=Outcome.SENT, code="200")
A, B = "https://a.example", "https://b.example:8443"


@pytest.fixture
def rollups():
    return Rollups()


def ended(destination=A, verdict=SENT, took_ms=1, **claim):
    return Ended(claim=a_claim(**claim), verdict=verdict, started_at=0.0, took_ms=took_ms,
                 destination=destination)  # fmt: skip


def taken(rollups, now_s=0.0):
    """Take the rows, by channel and destination."""
    rows = rollups.take(now_s)
    by_place = {(row.channel, row.destination): row for row in rows}
    assert len(by_place) == len(rows) <= WRITTEN_MAX
    return by_place


@pytest.mark.parametrize(
    ("took_ms", "bucket"),
    [(0, 0), (2, 0), (3, 1), (30_000, len(BOUNDS_MS) - 1), (30_001, len(BOUNDS_MS))],
)
def test_a_send_is_in_the_bucket_that_it_does_not_exceed(rollups, took_ms, bucket):
    rollups.count("webhook", [ended(took_ms=took_ms)])
    [row] = rollups.take(0.0)
    assert (row.sends, row.took[bucket], sum(row.took)) == (1, 1, 1)


@pytest.mark.parametrize(
    "outcome", [o for o in Outcome if o not in (Outcome.SENT, Outcome.EXPIRED)]
)
def test_what_did_not_send_is_a_failure_with_its_code_and_time(rollups, outcome):
    failed = Verdict(outcome=outcome, code="503")
    rollups.count("webhook", [ended(), ended(verdict=failed), ended()])
    [row] = rollups.take(1_000_000.0)
    assert (row.sends, row.failures, row.last_code) == (3, 1, "503")
    assert 999_990 < row.failed_s <= 1_000_000


def test_what_expired_before_it_began_was_not_sent(rollups):
    rollups.count("webhook", [ended(verdict=Verdict(outcome=Outcome.EXPIRED))])
    assert rollups.take(0.0) == []


def test_destinations_are_spelled_as_the_ledger_spells_them(rollups):
    rollups.count("webhook", [ended(A), ended(B), ended("not a url"), ended("")])
    mail = "smtp://mail.example:25 {}"
    rollups.count("email", [ended(mail.format("c.example")), ended("smtp://mail.example:25")])
    rollups.count("log", [ended("")])
    assert {place: row.sends for place, row in taken(rollups).items()} == {
        ("webhook", A): 1, ("webhook", B): 1, ("webhook", OTHERS): 2,
        ("email", "c.example"): 1, ("email", OTHERS): 1, ("log", OTHERS): 1,
    }  # fmt: skip


def test_a_name_that_no_host_has_is_among_the_others(rollups):
    rollups.count("email", [ended(f"smtp://mail.example {'x' * 8192}"), ended("smtp://m d")])
    assert set(taken(rollups)) == {("email", "d"), ("email", OTHERS)}


def test_what_is_only_played_is_left_out(rollups):
    rollups.count("webhook", [ended(is_test=True), ended("simulator.notify/ok")])
    assert rollups.take(0.0) == []


def test_what_is_taken_is_counted_no_more(rollups):
    rollups.count("webhook", [ended()])
    assert len(rollups.take(0.0)) == 1
    assert rollups.take(0.0) == []


def test_the_largest_are_taken_and_the_others_are_summed_up(rollups):
    bad = Verdict(outcome=Outcome.TEMPORARY, code="500")
    for n in range(WRITTEN_MAX + 100):
        many = 3 if n >= 100 else 1
        rollups.count("webhook", [ended(f"https://h{n}.example", bad) for _ in range(many)])
    rows = taken(rollups)
    others = rows.pop(("webhook", OTHERS))
    assert {row.sends for row in rows.values()} == {3}
    total = 3 * WRITTEN_MAX + 100
    assert others.sends + sum(row.sends for row in rows.values()) == total
    assert others.failures + sum(row.failures for row in rows.values()) == total
    assert (others.last_code, sum(others.took)) == ("500", others.sends)


def test_a_hundred_thousand_destinations_are_no_more_than_some_thousands(rollups):
    """A large one among them stays one, and nothing is lost from the sum."""
    for n in range(0, 100_000, 100):
        batch = [ended(f"https://h{n + m}.example") for m in range(100)]
        rollups.count("webhook", [*batch, *[ended(A)] * 5])
        assert sum(map(len, rollups._known.values())) <= KNOWN_MAX
    rows = taken(rollups)
    assert rows["webhook", A].sends == 5000
    assert sum(row.sends for row in rows.values()) == 105_000
