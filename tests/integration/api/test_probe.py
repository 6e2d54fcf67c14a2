"""POST /destinations/probe, and `notify probe`."""

import json
from typing import Any

import pytest

from service.cli import main
from tests.explaining import WEBHOOK, beat, note, state
from tests.integration.api.serving import Api
from tests.ledger import claim, enqueue, release

HOOKS = "https://hooks.example"
WEBHOOKS = {"channel": "webhook", "destination": HOOKS}


def probe(api: Api, body: Any):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.ask("POST", "/destinations/probe", data, **{"Content-Type": "application/json"})


@pytest.fixture
def kept(db):
    """Let a worker keep back what goes to a destination, and park three rows of it."""
    beat(db)
    note(db, state(HOOKS), state("example.org", channel="email"), state("", channel="email"))
    release(db, claim(db, enqueue(db, 3, **WEBHOOK)), "1 hour")


def probes(db):
    query = "select channel, destination, asked_by from notify.probes"
    return [tuple(r) for r in db.execute(query)]


def test_what_will_happen_is_said(api: Api, db, kept) -> None:
    answer = probe(api, WEBHOOKS)
    assert answer.status == 202
    sentence = answer.json.pop("sentence")
    assert answer.json == WEBHOOKS | {"states": ["breaker"], "workers": 1, "brought": 3}
    assert "lets one notification through" in sentence and "3 fall due" in sentence
    assert probes(db) == [("webhook", HOOKS, "anybody")]
    assert api.metric("api_operator_rows_total", verb="probe") == 3


def test_the_mail_server_of_all_is_the_empty_name(api: Api, db, kept) -> None:
    answer = probe(api, {"channel": "email", "destination": ""}).json
    assert (answer["states"], answer["brought"]) == (["breaker"], 0)
    assert "the next that falls due is it" in answer["sentence"]


def test_what_nothing_keeps_back_is_a_404_and_leaves_no_trace(api: Api, db, events) -> None:
    answer = probe(api, WEBHOOKS)
    assert (answer.status, answer.json["code"]) == (404, "destination_not_kept_back")
    assert probes(db) == []
    assert db.execute("select from notify.audit").fetchall() == []
    assert events == []


WRONG = {
    "nothing at all": ({}, "missing_field", "/channel"),
    "no destination": ({"channel": "webhook"}, "missing_field", "/destination"),
    "an unknown channel": (WEBHOOKS | {"channel": "x"}, "invalid_channel", "/channel"),
    "a destination of 301": (
        WEBHOOKS | {"destination": "x" * 301}, "invalid_field", "/destination"),
    "NUL": (WEBHOOKS | {"destination": "a\0"}, "nul_character", "/destination"),
    "an unknown field": (WEBHOOKS | {"url": "x"}, "unknown_field", "/url"),
}  # fmt: skip


def test_what_is_wrong_is_named_with_its_pointer(api: Api, kept) -> None:
    for name, (body, code, pointer) in WRONG.items():
        answer = probe(api, body).json
        assert (name, answer["code"], answer["errors"][0]["pointer"]) == (name, code, pointer)
        assert answer["status"] == 422


def test_who_asked_and_what_came_of_it_is_written_down(api: Api, db, kept, events) -> None:
    probe(api, WEBHOOKS)
    [use] = db.execute("select actor, verb, detail from notify.audit").fetchall()
    done = {"states": ["breaker"], "kept_by": 1, "brought": 3}
    assert tuple(use) == ("anybody", "probe", WEBHOOKS | done)
    assert events == [("probe_asked", WEBHOOKS | {"kept_by": 1})]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("argv", "asked"),
    [
        ([HOOKS], ("webhook", HOOKS)),
        (["HTTPS://Hooks.Example:443/"], ("webhook", HOOKS)),
        (["Example.ORG."], ("email", "example.org")),
        (["example.org"], ("email", "example.org")),
        (["example.org", "--channel", "email"], ("email", "example.org")),
        (["--channel", "email"], ("email", "")),
    ],
)
def test_the_command_says_what_will_happen(api: Api, db, capsys, argv, asked) -> None:
    url = f"--url=http://127.0.0.1:{api.port}"
    assert main(["probe", url, "--no-json", *argv]) == 0
    assert "lets one notification through" in capsys.readouterr().out
    assert [row[:2] for row in probes(db)] == [asked]
    assert main(["probe", url, "--json", *argv]) == 0
    assert json.loads(capsys.readouterr().out)["workers"] == 1


def test_the_command_says_that_nothing_keeps_it_back(api: Api, capsys) -> None:
    assert main(["probe", f"--url=http://127.0.0.1:{api.port}", HOOKS]) == 1
    assert "is sent in its turn" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [[], ["--channel", "webhook"]])
def test_the_command_wants_to_be_told_which(capsys, argv) -> None:
    assert main(["probe", "--url=http://127.0.0.1:1", *argv]) == 1
    assert "probe which? Give a DESTINATION" in capsys.readouterr().err
