"""The OpenAPI document says what the code does."""

import asyncio
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from service.api import items, list_query
from service.api.body import NewNotification, read_notification
from service.api.cancel_many import read_cancel_many
from service.api.docs import docs_page
from service.api.openapi import document
from service.api.probe import read_probe
from service.api.redrive import read_redrive
from service.config.settings import Settings
from service.http.problem_kinds import KINDS
from service.names.guard import LOOPBACK

SETTINGS = Settings(smtp_url="smtp://127.0.0.1")
INBOX = "http://127.0.0.1:4000"


def described(settings: Settings = SETTINGS, inbox_url: str | None = INBOX) -> dict[str, Any]:
    return json.loads(document(settings, inbox_url, datetime.now(UTC)))


API = described()
SCHEMAS = API["components"]["schemas"]


def test_every_reference_leads_somewhere() -> None:
    for path in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(API)):
        at = API
        for name in path.split("/"):
            at = at[name]
        assert at


def test_the_body_is_the_type_that_decodes_it() -> None:
    schema = SCHEMAS["NewNotification"]
    assert list(schema["properties"]) == list(NewNotification.__struct_fields__)
    assert schema["required"] == ["channel", "recipient", "payload"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["recipient"]["maxLength"] == 2048


def test_every_field_says_what_to_write() -> None:
    for name in (
        "NewNotification",
        "RedriveFilter",
        "Redrive",
        "CancelFilter",
        "CancelMany",
        "Probe",
    ):
        for field, schema in SCHEMAS[name]["properties"].items():
            assert schema.get("description") or field == "filter"


@pytest.mark.parametrize(
    "settings",
    [SETTINGS, Settings(), Settings(send_at_max_days=0), Settings(send_at_max_days=1)],
    ids=["usual", "no mail", "nothing later", "a day"],
)
def test_the_examples_are_accepted_by_the_service_that_shows_them(settings: Settings) -> None:
    settings = replace(settings, webhook_allow=LOOPBACK)  # as with an inbox of its own
    api = described(settings)
    for example in examples(api, "/notify"):
        assert read_notification(json.dumps(example).encode(), settings)
    for example in examples(api, "/redrive"):
        assert read_redrive(json.dumps(example).encode())
    for example in examples(api, "/cancel"):
        assert read_cancel_many(json.dumps(example).encode())
    for example in examples(api, "/destinations/probe"):
        assert read_probe(json.dumps(example).encode())


def test_the_webhook_example_goes_to_the_inbox_that_runs() -> None:
    assert examples(API, "/notify")[0]["recipient"].startswith(f"{INBOX}/")
    assert "127.0.0.1" not in json.dumps(examples(described(inbox_url=None), "/notify"))


def examples(api: dict[str, Any], path: str) -> list[dict[str, Any]]:
    content = api["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    return [example["value"] for example in content["examples"].values()]


def test_every_query_parameter_is_described() -> None:
    described = {one["name"]: one for one in API["paths"]["/notifications"]["get"]["parameters"]}
    assert described.keys() == list_query.PARAMETERS.keys()
    limit, empty = described["limit"]["schema"]["anyOf"]
    assert empty == {"type": "string", "maxLength": 0}
    assert limit["maximum"] == list_query.PAGE_ROWS_MAX
    assert limit["default"] == list_query.PAGE_ROWS


def test_every_problem_is_described() -> None:
    assert API["x-problems"].keys() == KINDS.keys()
    for code, kind in KINDS.items():
        assert code in API["components"]["responses"][str(kind.status)]["description"]


def test_the_docs_page_needs_nothing_from_elsewhere() -> None:
    page = docs_page().decode()
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert 'fetch("/openapi.json")' in page
    assert len(page) < 40_000


def test_the_examples_of_a_batch_are_what_it_takes() -> None:
    settings = replace(SETTINGS, webhook_allow=LOOPBACK)  # as with an inbox of its own
    content = API["paths"]["/notify/batch"]["post"]["requestBody"]["content"]
    array = content["application/json"]["examples"]["array"]["value"]
    lines = content["application/x-ndjson"]["examples"]["lines"]["value"]
    assert [json.loads(line) for line in lines.splitlines()] == array
    elements = asyncio.run(items.elements(json.dumps(array).encode()))
    for item in (*elements, *items.lines(lines.encode())):
        assert read_notification(item, settings)
