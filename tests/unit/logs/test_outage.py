"""An outage is logged once, and its end once, however many connections notice it."""

from service.errors import DatabaseAway
from service.logs.outage import Outage


def names(events):
    return [record["message"] for record in events]


def test_an_outage_that_never_was_says_nothing(events):
    outage = Outage("redis")
    outage.back()
    assert names(events) == []


def test_each_outage_is_logged_anew(events):
    outage = Outage("redis")
    for _ in range(2):
        outage.away(DatabaseAway("x"))
        outage.away(DatabaseAway("y"))
        outage.back()
    assert names(events) == ["away", "back"] * 2


def test_what_two_connections_miss_is_away_once_and_back_when_both_have_an_answer(events):
    outage = Outage("postgresql", role="worker")
    for _ in range(3):
        outage.away(DatabaseAway("gone"), "claimer")
        outage.away(DatabaseAway("gone"), "settler")
    outage.back("claimer")
    outage.back("claimer")
    assert outage.lasts
    outage.back("settler")
    outage.back("settler")
    assert not outage.lasts
    assert names(events) == ["away", "back"]
    assert {(e["extra"]["what"], e["extra"]["role"]) for e in events} == {("postgresql", "worker")}
    assert events[0]["extra"]["reason"] == "gone"
    assert events[0]["extra"]["connection"] == "claimer"


def test_who_has_one_connection_names_none(events):
    Outage("redis").away(DatabaseAway("gone"))
    assert "connection" not in events[0]["extra"]
