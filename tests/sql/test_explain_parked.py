"""explain_parked(): why rows to one destination wait, and to no other."""

import hashlib
import shlex

import pytest

from tests.explaining import MAIL, URL, WEBHOOK, beat, explain, first, note, silence, state, utc
from tests.ledger import ago, change, claim, enqueue, release, row


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("breaker", "has failed again and again since"),
        ("pace", "has taken less than it is offered since"),
        ("url", "has asked for a pause"),
        ("name", "has a name whose look-up takes long"),
        ("share", "has been slow"),
    ],
)
def test_one_whose_destination_is_kept_back_says_which_until_when_and_why(road, word, says):
    [id] = enqueue(road, 1, **WEBHOOK)
    release(road, claim(road, [id]), "10 s")
    note(road, state("https://hooks.example", word))
    got = first(road, id)
    assert (got.code, got.until) == ("destination_parked", row(road, id).due_at)
    assert "https://hooks.example" in got.sentence and says in got.sentence
    assert f"parked until {utc(got.until)}" in got.sentence
    assert ("nothing answered at its address" in got.sentence) == (word == "breaker")
    assert "orders" not in got.sentence
    can_be_probed = word in ("breaker", "pace", "url")
    assert got.command == ("notify probe https://hooks.example" if can_be_probed else None)
    note(road, ended=(state("https://hooks.example", word),))
    assert first(road, id).code == "given_back"


def test_a_destination_of_others_is_none_of_its_own(road):
    [id] = enqueue(road, 1, **WEBHOOK)
    note(road, state("https://other.example"), state("https://hooks.example:8443"))
    assert "destination_parked" not in explain(road, id)


def test_a_url_that_is_left_alone_keeps_no_other_back(road):
    [id] = enqueue(road, 1, **WEBHOOK)
    [other] = enqueue(road, 1, **WEBHOOK | {"recipient": "https://hooks.example/other"})
    url_hash = hashlib.sha256(URL.encode()).hexdigest()
    note(road, state("https://hooks.example", "url", in_s=900, url_hash=url_hash))
    got = explain(road, id)["destination_parked"]
    assert got.until > ago(road, "-14 minutes")
    assert "destination_parked" not in explain(road, other)


def test_a_url_that_fails_says_so_and_keeps_no_other_back(road):
    [id] = enqueue(road, 1, **WEBHOOK)
    [other] = enqueue(road, 1, **WEBHOOK | {"recipient": "https://hooks.example/other"})
    url_hash = hashlib.sha256(URL.encode()).hexdigest()
    note(road, state("https://hooks.example", url_hash=url_hash))
    got = explain(road, id)["destination_parked"]
    assert "has failed again and again at this URL since" in got.sentence
    assert got.command == "notify probe https://hooks.example"
    assert "destination_parked" not in explain(road, other)
    note(road, state("https://hooks.example"))
    assert "again and again since" in explain(road, other)["destination_parked"].sentence


def test_a_mail_waits_for_its_domain_or_for_the_server_of_all(road):
    [id] = enqueue(road, 1, **MAIL)
    note(road, state("example.org", channel="email"), state("other.example", channel="email"))
    got = explain(road, id)["destination_parked"]
    assert "example.org" in got.sentence
    assert got.command == "notify probe example.org --channel email"
    note(road, state("", channel="email"), ended=(state("example.org", channel="email"),))
    got = explain(road, id)["destination_parked"]
    assert "the mail server, has failed" in got.sentence and "ada" not in got.sentence
    assert got.command == "notify probe --channel email"


def test_what_a_shell_would_read_is_quoted_in_the_command(road):
    [id] = enqueue(road, 1, **MAIL)
    road.execute("alter table notify.notifications disable trigger all")
    change(road, id, recipient="a@$(id)';x.example")
    note(road, state("$(id)';x.example", channel="email"))
    got = explain(road, id)["destination_parked"].command
    assert shlex.split(got) == ["notify", "probe", "$(id)';x.example", "--channel", "email"]


def test_what_a_dead_worker_said_of_destinations_does_not_count(road):
    [id] = enqueue(road, 1, **WEBHOOK)
    beat(road, "w:2")
    note(road, state("https://hooks.example"), worker="w:2")
    assert "destination_parked" in explain(road, id)
    silence(road, "31 s", "w:2")
    assert "destination_parked" not in explain(road, id)


def test_a_test_does_not_wait_for_a_destination(road):
    [id] = enqueue(road, 1, **WEBHOOK)
    change(road, id, is_test=True)
    note(road, state("https://hooks.example"))
    got = explain(road, id)
    assert "destination_parked" not in got
    assert "nothing leaves the worker" in got["test"].sentence
