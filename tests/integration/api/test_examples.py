"""Every example of a request in /openapi.json works as it is pasted."""

import json
from typing import Any

from psycopg import Connection

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
