"""`notify explain`: why one is where it is."""

import json

from tests.integration.cli.terminal import Terminal
from tests.ledger import claim, enqueue, settle

NOBODY = "019a0b6e-2f31-7c11-9d5e-7a4b1c2d3e4f"


def url(api):
    return f"http://127.0.0.1:{api.port}"


def test_a_person_reads_sentences_and_the_command_that_would_help(notify, api, db):
    [id] = enqueue(db)
    settle(db, claim(db), "permanent", code="400")
    done = notify("explain", "--url", url(api), "--no-json", str(id))
    first, *_ = done.out.splitlines()
    assert first.startswith("It failed at ") and (done.code, done.err) == (0, "")
    assert f"\n    notify redrive {id}\n" in done.out


def test_a_long_sentence_is_wrapped_where_a_terminal_ends(bare, api, db):
    [id] = enqueue(db)
    settle(db, claim(db), "permanent", code="lease_expired")
    with Terminal(60, "explain", "--url", url(api), str(id)) as terminal:
        shown = terminal.until_it_ends()
    assert max(map(len, shown.splitlines())) < 60
    assert "…" not in shown and "may be the cause." in " ".join(shown.split())


def test_a_program_reads_the_document_of_the_api(notify, api, db):
    [id] = enqueue(db)
    done = notify("explain", "--url", url(api), str(id))
    assert json.loads(done.out) == api.get(f"/notifications/{id}/explain").json


def test_one_that_is_not_there_is_one_line(notify, api):
    done = notify("explain", "--url", url(api), NOBODY)
    assert done.code == 1 and "no such notification" in done.err
    assert notify("explain", "--url", url(api), "x").code == 1
