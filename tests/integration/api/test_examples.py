"""Every example of a request in /openapi.json works as it is pasted."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection

from service.api.examples import ID, KEY_ID
from service.api.samples import in_sql
from tests import ledger
from tests.explaining import beat, note, state
from tests.integration.api.serving import Api
from tests.keys import bearer, make


def examples(document: Any) -> list[tuple[str, str, str, str, Any]]:
    """Give each example of a body: its name, method, path, media type and value."""
    return [
        (name, method.upper(), path, media, example["value"])
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for media, content in operation.get("requestBody", {}).get("content", {}).items()
        for name, example in content["examples"].items()
    ]


def pasted(value: Any) -> bytes:
    """Write a body as a page or a person copies it: text as it is, all else as JSON."""
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def test_every_body_is_taken(api: Api, db: Connection[Any]) -> None:
    key, other = bearer(make(db, "admin")), make(db, "send", producer="other")
    api.read_keys()
    beat(db)
    note(db, state("https://hooks.example.org"), state("example.org", channel="email"))
    found = examples(api.get("/openapi.json").json)
    assert {path for _, _, path, _, _ in found} >= {"/notify", "/notify/batch", "/redrive", "/keys"}
    for name, method, path, media, value in found:
        place = path.replace("{id}", other.id)  # only keys have bodies at such paths
        answer = api.ask(method, place, pasted(value), **{"Content-Type": media}, **key)
        assert 200 <= answer.status < 300, f"{method} {path}, {name}: {answer.body!r}"
        assert not answer.json.get("refused"), f"{method} {path}, {name}: {answer.body!r}"


def test_a_body_of_the_examples_of_fields_is_taken(api: Api) -> None:
    schema = api.get("/openapi.json").json["components"]["schemas"]["NewNotification"]
    given = {
        name: field["examples"][0]
        for name, field in schema["properties"].items()
        if "examples" in field
    }
    assert given.keys() >= {"recipient", "payload"}
    answer = api.post({"channel": "webhook"} | given)
    assert answer.status == 202, answer.body


def samples(document: Any, language: str) -> dict[str, str]:
    """Give the examples in one language, by their operations."""
    return {
        operation["operationId"]: sample["source"]
        for operations in document["paths"].values()
        for operation in operations.values()
        for sample in operation["x-codeSamples"]
        if sample["lang"] == language
    }


def with_real_ids(operation: str, text: str, db: Connection[Any]) -> str:
    """Put ids that there are in place of the made-up ones."""
    id = ledger.put(db, "sent" if operation == "send_again" else "queued")
    return text.replace(ID, str(id)).replace(KEY_ID, make(db, "send", producer=f"of {id}").id)


def by_curl(text: str) -> list[str]:
    return ["bash", "-c", text]


def by_python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def by_node(text: str) -> list[str]:
    return ["node", "--input-type=module", "--eval", text]


@pytest.mark.parametrize(
    ("language", "command"),
    [
        pytest.param("Shell", by_curl, marks=pytest.mark.needs("curl")),
        ("Python", by_python),
        pytest.param("JavaScript", by_node, marks=pytest.mark.needs("node")),
    ],
)
def test_every_example_runs(
    language: str, command: Callable[[str], list[str]], api: Api, db: Connection[Any]
) -> None:
    key = make(db, "admin")
    beat(db)
    note(db, state("https://hooks.example.org"))  # which a probe needs
    where = {"NOTIFY_URL": f"http://127.0.0.1:{api.port}", "NOTIFY_KEY": str(key)}
    document = api.get("/openapi.json").json
    found = samples(document, language)
    assert len(found) == sum(map(len, document["paths"].values()))
    for operation, text in found.items():
        pasted = command(with_real_ids(operation, text, db))
        api.read_keys()
        ran = subprocess.run(
            pasted, env=os.environ | where, capture_output=True, text=True, check=False, timeout=60
        )
        status = ran.stdout.removeprefix("HTTP/1.1 ")[:3]
        assert (ran.returncode, status[:1]) == (0, "2"), f"{operation}: {ran.stdout}{ran.stderr}"


def test_every_example_in_sql_runs(api: Api, db: Connection[Any]) -> None:
    found = samples(api.get("/openapi.json").json, "SQL")
    assert found.keys() == {"enqueue", "enqueue_batch", "find", "explain", "page"}
    for operation, text in found.items():
        assert db.execute(with_real_ids(operation, text, db)).fetchall(), operation


@pytest.mark.parametrize(
    "text", ["it's", 'say "no"', "a\\b", "$HOME `id` $(id)", "%s {x}", "</script>", "a\nb", "é"]
)
def test_an_example_in_sql_keeps_every_character(text: str, db: Connection[Any]) -> None:
    body = {"channel": "log", "recipient": text.replace("\n", " "), "payload": {text: text},
            "reference": "r", "priority": 0, "max_attempts": 3}  # fmt: skip
    [id] = db.execute(in_sql("enqueue", body)).fetchone()
    row = ledger.row(db, id)
    assert (row.recipient, row.payload) == (body["recipient"], body["payload"])
    assert (row.reference, row.priority, row.max_attempts) == ("r", 0, 3)
