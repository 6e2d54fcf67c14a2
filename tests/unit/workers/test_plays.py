from service.model.words import Outcome
from tests.unit.workers.claims import a_claim
from workers.channels.channel import Play
from workers.channels.log import LogChannel
from workers.claim import Verdict
from workers.flight import Flight
from workers.plays import Plays

SENT = Verdict(outcome=Outcome.SENT)
FAILED = Verdict(outcome=Outcome.TEMPORARY)


def flight(started_at):
    return Flight(a_claim(), LogChannel(), "there", "there", started_at)


def test_what_takes_no_time_ends_at_once():
    plays = Plays(deadline_s=4.0)
    assert plays.start(Play(FAILED, 0.0), flight(100.0)) is FAILED
    assert not plays


def test_no_play_takes_longer_than_half_of_the_deadline():
    plays, slow = Plays(deadline_s=4.0), flight(100.0)
    assert plays.start(Play(SENT, 60.0), slow) is None
    assert plays.next_s(100.5) == 1.5
    assert list(plays.ended(101.9)) == []
    assert list(plays.ended(102.0)) == [(slow, SENT)]
    assert plays.next_s(102.0) == float("inf")


def test_plays_end_in_the_order_of_their_time():
    plays, flights = Plays(deadline_s=60.0), [flight(100.0), flight(100.0), flight(99.0)]
    for one in flights:
        plays.start(Play(SENT, 5.0), one)
    assert len(plays) == 3
    assert [ended for ended, _ in plays.ended(104.5)] == [flights[2]]
    assert plays.next_s(106.0) == 0.0
    assert [ended for ended, _ in plays.ended(106.0)] == flights[:2]


def test_what_is_given_up_never_ends():
    plays, slow = Plays(deadline_s=60.0), flight(100.0)
    plays.start(Play(SENT, 5.0), slow)
    assert plays.clear() == [slow]
    assert list(plays.ended(200.0)) == []
