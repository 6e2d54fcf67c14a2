"""Explaining a pause: who paused what, since when, why, and the command that ends it."""

import re
from typing import Any

import pytest

from tests.ledger import ago, cancel, change, claim, enqueue, pause, put, resume, row

HOOK: dict[str, Any] = {"channel": "webhook", "recipient": "https://example.org/hook"}


@pytest.fixture
def db(shared_db):
    return shared_db


def explained(db, id):
    return db.execute("select * from notify.explain(%s)", [id]).fetchall()


def of_pause(db, id):
    found = [s for s in explained(db, id) if s.code == "paused"]
    assert len(found) <= 1
    return found[0] if found else None


def test_it_says_who_what_since_when_and_why(db):
    id = pause(db, "channel", "log", reason="The log is full.", actor="ops")
    [waits] = enqueue(db)
    claim(db, [waits])
    said = of_pause(db, waits)
    assert said.sentence.startswith("Its channel, log, is paused since 20")
    assert "by ops: The log is full. It waits until somebody resumes it" in said.sentence
    assert (said.until, said.command) == (None, f"notify resume {id}")


@pytest.mark.parametrize(
    ("covering", "words"),
    [
        (("channel", "webhook"), "Its channel, webhook,"),
        (("producer", "shop"), "Its producer, shop,"),
        (("destination", "https://example.org"), "Its destination, https://example.org,"),
    ],
)
def test_what_is_due_and_not_set_aside_yet_is_explained_the_same_way(db, covering, words):
    id = put(db, "queued", producer="shop", **HOOK)
    assert of_pause(db, id) is None
    pause(db, *covering)
    assert words in of_pause(db, id).sentence
    claim(db, [id])
    assert words in of_pause(db, id).sentence


def test_no_sentence_speaks_of_the_year_3000(db):
    pause(db, "channel", "log")
    expires = put(db, "queued", expires_at=ago(db, "-1 hour"))
    retried = put(db, "queued", attempt=1, first_claimed_at=ago(db, "1 minute"))
    for id in (expires, retried):
        claim(db, [id])
        said = explained(db, id)
        assert not any(re.search(r"\b3000-0", s.sentence) for s in said)  # an id may hold 3000
        assert all(s.until is None or s.until.year < 3000 for s in said)
    assert [s.code for s in explained(db, expires) if s.code == "expires"] == ["expires"]


def test_what_was_resumed_says_that_it_comes_back(db):
    id = pause(db, "channel", "log")
    [waits] = enqueue(db)
    claim(db, [waits])
    resume(db, id)
    said = of_pause(db, waits)
    assert "It was resumed at" in said.sentence
    assert said.command is None


def test_others_and_what_is_cancelled_are_not_explained_by_it(db):
    pause(db, "channel", "log")
    other = put(db, "queued", **HOOK)
    later = put(db, "queued", due_at=ago(db, "-1 hour"))
    [waits] = enqueue(db)
    claim(db, [waits])
    cancel(db, [waits])
    assert [of_pause(db, id) for id in (other, later, waits)] == [None] * 3


def test_a_row_that_was_put_off_by_hand_names_no_pause(db):
    pause(db, "channel", "webhook")
    id = put(db, "queued", due_at=ago(db, "-1 hour"))
    change(db, id, due_at=row(db, id).due_at.replace(year=3500))
    assert of_pause(db, id) is None
