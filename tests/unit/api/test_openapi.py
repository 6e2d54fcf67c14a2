"""The OpenAPI document says what the code does."""

import json
import re
from importlib.resources import files

from service.api import read
from service.api.body import NewNotification
from service.api.body import read as read_body
from service.api.openapi import EXAMPLES, REDRIVE_EXAMPLES, document
from service.api.problems import KINDS
from service.api.redrive import read as read_redrive
from service.config import Settings

API = json.loads(document())
SCHEMAS = API["components"]["schemas"]
SETTINGS = Settings(smtp_url="smtp://127.0.0.1", send_at_max_days=3650)


def test_every_reference_leads_somewhere() -> None:
    for path in re.findall(r'"\$ref":"#/([^"]+)"', document().decode()):
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
    for name in ("NewNotification", "RedriveFilter", "Redrive"):
        for field, schema in SCHEMAS[name]["properties"].items():
            assert schema.get("description") or field == "filter"


def test_the_examples_are_accepted() -> None:
    for example in EXAMPLES.values():
        assert read_body(json.dumps(example["value"]).encode(), SETTINGS)
    for example in REDRIVE_EXAMPLES.values():
        assert read_redrive(json.dumps(example["value"]).encode())


def test_every_query_parameter_is_described() -> None:
    described = {one["name"]: one for one in API["paths"]["/notifications"]["get"]["parameters"]}
    assert described.keys() == read.PARAMETERS.keys()
    assert described["limit"]["schema"]["maximum"] == read.PAGE_ROWS_MAX
    assert described["limit"]["schema"]["default"] == read.PAGE_ROWS


def test_every_problem_is_described() -> None:
    assert API["x-problems"].keys() == KINDS.keys()
    for code, kind in KINDS.items():
        assert code in API["components"]["responses"][str(kind.status)]["description"]


def test_the_docs_page_needs_nothing_from_elsewhere() -> None:
    page = files("service.api").joinpath("docs.html").read_text()
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert 'fetch("/openapi.json")' in page
