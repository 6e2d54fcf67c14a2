import hashlib

import pytest

from tests.unit.workers.claims import a_claim
from workers import parkings
from workers.claim import Parked, Unstarted
from workers.parkings import GONE_AFTER_S, Kept, Parkings

URL = "https://hooks.example/x"
HOOKS = Kept(channel="webhook", destination="https://hooks.example", state=Parked.BREAKER)


def put_off(why=Parked.BREAKER, delay_s=5.0, **claim):
    return Unstarted(claim=a_claim(**({"recipient": URL} | claim)), delay_s=delay_s, parked=why)


def test_a_destination_is_kept_back_until_the_last_of_its_rows_came_back():
    known = Parkings()
    known.note("https://hooks.example", put_off(), 100.0, "503")
    known.note("https://hooks.example", put_off(delay_s=7.0), 101.0, "504")
    [(kept, parking)] = known.current(102.0).items()
    assert kept == HOOKS
    assert (parking.since, parking.until, parking.code) == (100.0, 108.0, "503")
    assert HOOKS in known.current(108.0 + GONE_AFTER_S)
    assert not known.current(108.1 + GONE_AFTER_S)


def test_what_was_looked_at_does_not_change_while_it_is_written():
    known = Parkings()
    known.note("https://hooks.example", put_off(Parked.URL), 0.0, None)
    [parking] = known.current(0.0).values()
    known.note("https://hooks.example", put_off(Parked.URL, delay_s=300.0), 0.0, None)
    assert parking.until == 5.0


def test_failing_urls_of_one_host_leave_room_for_other_hosts(monkeypatch):
    monkeypatch.setattr(parkings, "KNOWN_MAX", 3)
    monkeypatch.setattr(parkings, "URLS_MAX", 2)
    known = Parkings()
    for number in range(5):
        row = put_off(recipient=f"{URL}{number}")
        known.note("https://hooks.example", row, 0.0, "502", of_url=True)
    known.note("https://other.example", put_off(), 0.0, "503")
    assert [kept.url_hash != "" for kept in known.current(0.0)] == [True, True, False]


def test_a_url_is_kept_as_its_hash():
    known = Parkings()
    known.note("https://hooks.example", put_off(Parked.URL), 0.0, None)
    [kept] = known.current(0.0)
    assert kept.url_hash == hashlib.sha256(URL.encode()).hexdigest()


@pytest.mark.parametrize(
    ("name", "destination"),
    [("smtp://mail.example:587", ""), ("smtp://mail.example:587 example.org", "example.org")],
)
def test_of_a_mail_the_domain_is_kept_and_not_where_its_server_is(name, destination):
    known = Parkings()
    known.note(name, put_off(channel="email", recipient="a@example.org"), 0.0, None)
    assert [kept.destination for kept in known.current(0.0)] == [destination]


@pytest.mark.parametrize(
    "claim",
    [{"is_test": True}, {"recipient": "https://simulator.notify/slow"}],
)
def test_what_is_played_says_nothing_of_a_destination(claim):
    known = Parkings()
    known.note("https://hooks.example", put_off(**claim), 0.0, None)
    assert not known.current(0.0)


def test_a_name_that_is_no_origin_is_left_out():
    known = Parkings()
    known.note("https://hooks.example/secret", put_off(), 0.0, None)
    known.note("email", put_off(channel="email"), 0.0, None)
    assert not known.current(0.0)


def test_no_more_than_so_many_are_known(monkeypatch):
    monkeypatch.setattr(parkings, "KNOWN_MAX", 2)
    known = Parkings()
    for n in range(5):
        known.note(f"https://h{n}.example", put_off(), 0.0, None)
    assert len(known.current(0.0)) == 2


def test_a_destination_is_found_by_its_spelling_with_all_that_is_kept_back_there():
    known = Parkings()
    known.note("https://hooks.example", put_off(), 0.0, None)
    known.note("https://hooks.example", put_off(Parked.URL), 0.0, None)
    known.note("https://hooks.example", put_off(Parked.URL, recipient=URL + "2"), 0.0, None)
    known.note("https://other.example", put_off(), 0.0, None)
    mail = {"channel": "email", "recipient": "a@example.org"}
    for name in ("smtp://mail.example:587", "smtp://mail.example:587 example.org"):
        known.note(name, put_off(**mail), 0.0, None)
    assert known.let_through("webhook", "https://hooks.example", 1.0) == {
        "https://hooks.example": {URL, URL + "2"}
    }
    assert known.let_through("email", "", 1.0) == {"smtp://mail.example:587": set()}
    assert known.let_through("email", "example.org", 1.0) == {
        "smtp://mail.example:587 example.org": set()
    }
    assert known.let_through("email", "https://hooks.example", 1.0) == {}


def test_what_is_let_through_is_kept_back_no_longer_unless_it_is_noted_again():
    known = Parkings()
    for name in ("https://hooks.example", "https://other.example"):
        known.note(name, put_off(delay_s=3600.0), 0.0, "503")
    known.let_through("webhook", "https://hooks.example", 10.0)
    assert HOOKS in known.current(10.0 + GONE_AFTER_S)
    known.let_through("webhook", "https://other.example", 10.0)
    known.note("https://other.example", put_off(delay_s=3600.0), 12.0, "503")
    [(kept, parking)] = known.current(10.1 + GONE_AFTER_S).items()
    assert (kept.destination, parking.since) == ("https://other.example", 0.0)
