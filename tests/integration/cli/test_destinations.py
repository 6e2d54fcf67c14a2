"""`notify destinations`: the busiest first, for people and as JSON."""

import json

import pytest

from tests.explaining import beat, note, state
from tests.rollups import A, add_minutes, counts


@pytest.fixture
def destinations(notify, api):
    """Run `notify destinations`; gives the outcome."""
    return lambda *argv: notify("destinations", "--url", f"http://127.0.0.1:{api.port}", *argv)


def test_nothing_is_a_head_alone(destinations):
    done = destinations()
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)


def test_a_line_says_how_it_was_and_what_is_kept_back(destinations, db):
    add_minutes(
        db,
        counts(A, *[30] * 3, failures=1, last_code="503", failed_s=0),
        counts("", 1, channel="log"),
    )
    beat(db)
    note(db, state("https://down.example"))
    head, busy, others, down = destinations().out.splitlines()
    assert head.split()[:2] == ["per", "min"]
    assert busy.split()[1:3] == ["33", "%"]
    assert busy.split()[-4:] == ["webhook", A, "-", "503"]
    assert others.split()[-3:] == ["log", "(others)", "-"]
    assert down.split() == [
        "0.0", "-", "-", "-", "webhook", "https://down.example", "breaker"]  # fmt: skip


def test_json_is_what_the_api_answers(destinations, db):
    add_minutes(db, counts(A, 30))
    [item] = json.loads(destinations("--json").out)["items"]
    assert (item["destination"], item["sends"]) == (A, 1)


def test_a_limit_that_is_too_high_is_named(destinations):
    done = destinations("--limit", "2000")
    assert (done.code, done.out) == (1, "")
    assert "--limit" in done.err
