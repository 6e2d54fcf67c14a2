"""`notify pause`, `notify resume`, `notify pauses`: by option or by id, as text and as JSON."""

import json

import pytest

from tests.ledger import claim, enqueue, paused


@pytest.fixture
def run(notify, api):
    return lambda *argv: notify(*argv, "--url", f"http://127.0.0.1:{api.port}")


@pytest.mark.parametrize(
    ("options", "again", "named"),
    [
        (("--channel", "log"), ("--channel", "log"), ("channel", "log", None)),
        (("--producer", "shop"), ("--producer", "shop"), ("producer", "shop", None)),
        (
            ("--destination", "https://Example.org/hook"),
            ("--destination", "https://example.org"),
            ("destination", "https://example.org", "webhook"),
        ),
        (
            ("--destination", "Example.org", "--channel", "email"),
            ("--destination", "ada@example.org"),
            ("destination", "example.org", "email"),
        ),
    ],
)
def test_what_the_options_name_is_paused_and_resumed(run, db, options, again, named):
    done = run("pause", *options, "--reason", "It moves.", "--no-json")
    assert done.code == 0
    [made] = paused(db)
    assert (made.kind, made.name, made.channel, made.reason) == (*named, "It moves.")
    assert f"notify resume {made.id}" in done.out
    assert run("resume", *again).code == 0
    assert paused(db)[0].resumed_at is not None
    done = run("resume", *again)
    assert done.code == 1
    assert "is not paused: see notify pauses" in done.err


def test_one_address_is_refused_with_what_to_write(run, db):
    done = run("pause", "--destination", "ada@example.org")
    assert done.code != 0
    assert "--destination" in done.err
    assert "not one address" in done.err
    assert paused(db) == []


def test_the_list_says_since_when_who_how_many_and_why(run, db):
    run("pause", "--channel", "log", "--reason", "It moves.")
    claim(db, enqueue(db, 3))
    [made] = paused(db)
    done = run("pauses", "--no-json")
    assert done.out == (
        f"{made.id:>5}  channel log  since {made.paused_at:%Y-%m-%d %H:%M:%S}  by anybody"
        "  3 wait  It moves.\n"
    )
    [item] = json.loads(run("pauses", "--json").out)["items"]
    assert (item["id"], item["waiting"]) == (made.id, 3)


def test_resume_by_id_says_how_many_come_back(run, db):
    run("pause", "--channel", "log")
    claim(db, enqueue(db, 2))
    id = str(paused(db)[0].id)
    assert run("resume", id, "--no-json").out == "resumed: channel log; 2 come back\n"
    assert "resumed: they come back" in run("pauses", "--no-json").out
    db.execute("select notify.bring_back(10)")
    assert (run("pauses", "--no-json").out, run("resume", id).code) == ("", 1)


def test_both_print_the_documents_of_the_api(run):
    made = json.loads(run("pause", "--channel", "log").out)
    assert (made["kind"], made["name"]) == ("channel", "log")
    assert json.loads(run("resume", str(made["id"])).out)["resumed_at"]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("pause",), "pause what?"),
        (("pause", "--channel", "log", "--producer", "shop"), "name one"),
        (("pause", "--destination", "a.example", "--producer", "shop"), "name one"),
        (("resume",), "resume what?"),
        (("resume", "1", "--channel", "log"), "resume what?"),
        (("pause", "--destination", "nothing here"), "an origin such as"),
    ],
)
def test_what_is_not_clear_is_said_in_a_line(run, db, argv, words):
    done = run(*argv)
    assert done.code in (1, 2)
    assert words in done.err
    assert done.err.count("\n") == 1
    assert paused(db) == []
