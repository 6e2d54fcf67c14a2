"""Every command that prints text prints JSON as well, with the same exit code."""

import json

import psycopg

from tests.integration.cli.conftest import ended
from tests.ledger import put


def test_doctor(notify, dsn, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", dsn)
    text, document = notify("doctor"), notify("doctor", "--json")
    assert text.code == document.code == 1
    found = {finding["what"]: finding for finding in json.loads(document.out)}
    assert found["schema"] == {"what": "schema", "found": "current", "advice": "", "is_fine": True}
    assert not found["webhooks"]["is_fine"]
    assert len(found) == text.out.count("\n")


def test_migrate(process, empty_dsn):
    env = {"DATABASE_URL": empty_dsn}
    assert json.loads(ended(process("migrate", "--json", env=env)).out)["applied"]
    assert ended(process("migrate", env=env)).out == "nothing to apply\n"


def test_migrate_that_waits_for_another_one(process, empty_dsn):
    env = {"DATABASE_URL": empty_dsn}
    waits = process("migrate", "--wait", env=env)
    assert b"run notify migrate" in waits.stderr.readline()
    with psycopg.connect(empty_dsn) as db:
        schemas = db.execute("select from pg_namespace where nspname = 'notify'").fetchall()
    assert not schemas, "it changes nothing"
    tired = process("migrate", "--wait", env=env)
    assert b"run notify migrate" in tired.stderr.readline()
    tired.terminate()
    assert ended(tired).code == 143, (
        "also as process 1 of a container, which obeys no other SIGTERM"
    )
    assert ended(process("migrate", env=env)).code == 0
    done = ended(waits)
    assert (done.code, done.out) == (0, "nothing to apply\n")


def test_cancel_and_redrive(notify, api, db: psycopg.Connection):
    url = ["--url", f"http://127.0.0.1:{api.port}"]
    queued, failed = str(put(db, "queued")), str(put(db, "failed"))
    done = notify("cancel", queued, failed, "--json", *url)
    assert done.code == 1
    first, second = json.loads(done.out)
    assert first == {"id": queued, "cancelled": True, "reason": None}
    assert second["cancelled"] is False
    assert "It is failed already" in second["reason"]
    assert notify("redrive", failed, "--no-json", "--dry-run", *url).out == (
        "matched 1, redriven 0, expired 0\n"
    )
    assert json.loads(notify("redrive", failed, *url).out)["redriven"] == 1
