"""`notify erase`, `notify export`, `notify audit`: against the database, without an API."""

import json

import pytest

from service.ledger import person_store
from tests.integration.cli.conftest import ended
from tests.ledger import attempts_of, claim, enqueue, put, row, settle

WHO = "ada@example.org"
MAIL = {"channel": "email", "payload": '{"subject": "s", "text": "t"}'}
HOSTILE = ["%", "_%", "a'; drop table x; --", 'a"b', "$$", "ärger☃", "*", "x" * 2048]


@pytest.fixture
def notify(notify, dsn, monkeypatch):
    """Run a command beside this database."""
    monkeypatch.setenv("DATABASE_URL", dsn)
    return notify


def erased(done):
    """Give the counts that a command printed, but those that are 0."""
    return {name: n for name, n in json.loads(done.out).items() if n}


def lines(done):
    assert (done.code, done.err) == (0, "")
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_person_is_erased_and_all_others_stay(notify, db):
    [id] = enqueue(db, 1, recipient=WHO, reference="r", **MAIL)
    settle(db, claim(db, [id]), "permanent", code="550", excerpt=f"no <{WHO}>")
    [queued] = enqueue(db, 1, recipient="Ada@Example.ORG", **MAIL)
    [other] = enqueue(db, 1, recipient="bob@example.org", **MAIL)
    done = notify("erase", "--recipient", WHO)
    assert (done.code, done.err) == (0, "")
    assert erased(done) == {"matched": 2, "erased": 2, "cancelled": 1, "attempts": 1}
    assert row(db, id).recipient == row(db, queued).recipient == "erased"
    assert [a.excerpt for a in attempts_of(db, id)] == [None]
    assert row(db, other).recipient == "bob@example.org"


def test_text_for_people(notify, db):
    enqueue(db, 1, reference="x")
    done = notify("erase", "--reference", "x", "--no-json")
    assert done.out == (
        "matched 1, erased 1, cancelled 1, attempts 0, keys 0, sending 0, locked 0, refused 0\n"
    )


def test_a_dry_run_changes_nothing(notify, db):
    [id] = enqueue(db, 1, recipient=WHO, **MAIL)
    before = row(db, id)
    done = notify("erase", "--recipient", WHO, "--dry-run")
    assert (done.code, erased(done)) == (0, {"matched": 1, "erased": 1, "cancelled": 1})
    assert row(db, id) == before


def test_what_is_left_is_told_and_the_exit_code_says_so(notify, db, other_db):
    put(db, "sending", recipient="r")
    locked = put(db, "sent", recipient="r")
    with other_db.transaction():
        other_db.execute("select from notify.notifications where id = %s for update", [locked])
        done = notify("erase", "--recipient", "r")
    assert (done.code, erased(done)) == (1, {"matched": 2, "sending": 1, "locked": 1})
    assert "left: 1 being sent: run this again" in done.err
    assert "left: 1 in somebody's hands" in done.err


def test_more_than_one_step_adds_up(notify, db, monkeypatch):
    monkeypatch.setattr(person_store, "ERASED_MAX", 2)
    enqueue(db, 5, recipient="r")
    assert erased(notify("erase", "--recipient", "r")) == {
        "matched": 5, "erased": 5, "cancelled": 5
    }  # fmt: skip


@pytest.mark.parametrize("recipient", ["ada@bücher.example", "ada@xn--bcher-kva.example"])
def test_both_spellings_of_a_domain_are_one_person(notify, db, recipient):
    for spelling in ("ada@bücher.example", "ada@xn--bcher-kva.example"):
        enqueue(db, 1, recipient=spelling, **MAIL)
    assert len(lines(notify("export", "--recipient", recipient))) == 2
    assert erased(notify("erase", "--recipient", recipient))["erased"] == 2


@pytest.mark.parametrize("recipient", ["\u00fcna@bücher.example", "U\u0308NA@bücher.example"])
def test_all_forms_of_unicode_are_one_person(notify, db, recipient):
    for spelling in ("\u00fcna@bu\u0308cher.example", "u\u0308na@\uff42ücher\u3002example"):
        enqueue(db, 1, recipient=spelling, **MAIL)
    assert len(lines(notify("export", "--recipient", recipient))) == 2
    assert erased(notify("erase", "--recipient", recipient))["erased"] == 2


@pytest.mark.parametrize("recipient", HOSTILE)
def test_no_recipient_is_a_pattern_or_sql(notify, db, recipient):
    [other] = enqueue(db, 1, recipient=WHO, **MAIL)
    [id] = enqueue(db, 1, recipient=recipient)
    assert [line["id"] for line in lines(notify("export", "--recipient", recipient))] == [str(id)]
    assert erased(notify("erase", "--recipient", recipient))["erased"] == 1
    assert row(db, other).recipient == WHO


@pytest.mark.parametrize("command", ["erase", "export"])
@pytest.mark.parametrize(
    "argv, code",
    [
        ((), 2),
        (("--recipient", ""), 2),
        (("--recipient", " "), 2),
        (("--reference", ""), 2),
        (("--recipient", "a", "--reference", "b"), 2),
        (("--recipient", "x" * 2049), 1),
        (("--reference", "x" * 256), 1),
        (("--recipient", "a\0b"), 1),
        (("--reference", "a\0b"), 1),
    ],
)
def test_nobody_and_nothing_possible_are_refused(notify, db, command, argv, code):
    [id] = enqueue(db, 1)
    before = row(db, id)
    done = notify(command, *argv)
    assert (done.code, done.out) == (code, "")
    assert "Traceback" not in done.err
    assert row(db, id) == before


def test_an_export_is_a_line_for_each_with_its_attempts(notify, db, monkeypatch):
    monkeypatch.setattr(person_store, "LINES_MAX", 2)
    ids = enqueue(db, 5, recipient=WHO, **MAIL)
    settle(db, claim(db, ids[:1]), excerpt="ok\u2028\u009b")
    enqueue(db, 1, recipient="bob@example.org", **MAIL)
    exported = lines(notify("export", "--recipient", WHO))
    assert [line["id"] for line in exported] == [str(id) for id in ids]
    assert exported[0]["payload"] == {"subject": "s", "text": "t"}
    assert [a["excerpt"] for a in exported[0]["attempts"]] == ["ok\u2028\u009b"]
    assert "\u009b" not in notify("export", "--recipient", WHO).out


def test_whom_nobody_knows_has_no_line(notify):
    assert notify("export", "--reference", "x") == (0, "", "")


def test_a_pipe_that_nobody_reads_ends_an_export_in_silence(process, db, dsn):
    big = json.dumps({"subject": "s", "text": "x" * 100_000})
    enqueue(db, 20, recipient=WHO, channel="email", payload=big)
    export = process("export", "--recipient", WHO, env={"DATABASE_URL": dsn})
    export.stdout.read(1000)
    export.stdout.close()
    export.stdout = None
    assert ended(export) == (141, "", "")


def test_an_encoding_that_lacks_a_character_gets_an_escape(process, db, dsn):
    enqueue(db, 1, recipient="ä☃")
    env = {"DATABASE_URL": dsn, "PYTHONIOENCODING": "ascii"}
    done = ended(process("export", "--recipient", "ä☃", env=env))
    assert json.loads(done.out)["recipient"] == "ä☃"
    assert done.out.isascii()


def test_the_audit_says_who_did_what_and_not_to_whom(notify, db):
    enqueue(db, 1, recipient=WHO, **MAIL)
    notify("export", "--recipient", WHO)
    notify("erase", "--recipient", WHO)
    done = notify("audit", "--json")
    uses = json.loads(done.out)
    assert [(use["verb"], use["actor"], use["key_id"]) for use in uses] == [
        ("erase", db.info.user, None),
        ("export", db.info.user, None),
    ]
    assert uses[0]["detail"]["notifications"] == 1
    assert uses[1]["detail"] == {"by": "recipient"}
    assert WHO not in done.out
    text = notify("audit", "--limit", "1").out
    assert "erase" in text
    assert "export" not in text


@pytest.mark.parametrize("command", [("erase", "--recipient", "r"), ("export", "--reference", "x")])
def test_a_database_that_is_away_is_one_line(bare, monkeypatch, notify, command):
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/none")
    done = notify(*command)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert "hunter2" not in done.err


def test_without_a_database_it_says_what_is_missing(bare, monkeypatch, notify):
    monkeypatch.delenv("DATABASE_URL")
    done = notify("erase", "--recipient", "r")
    assert (done.code, done.out) == (1, "")
    assert "DATABASE_URL is missing" in done.err
