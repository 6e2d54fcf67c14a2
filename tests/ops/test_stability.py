"""What ops/STABILITY.md promises is what the code has: no name goes or comes without the page."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from service.api.openapi import document
from service.cli.parser import parser
from service.config.settings import NAMES, Settings
from service.http.problem_kinds import KINDS
from service.model.words import Channel, Outcome, Status
from tests.ops.test_dashboards import families

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "ops" / "STABILITY.md").read_text(encoding="utf-8")
OPENAPI: dict[str, Any] = json.loads(document(Settings(), None, datetime.now(UTC)))
UNDESCRIBED = {"GET /openapi.json", "GET /docs"}  # they describe the others
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE + SECURITY)))


def section(heading: str) -> str:
    """Give the text below one heading."""
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def names(text: str) -> list[str]:
    """Give what stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


def tables(heading: str) -> list[list[list[str]]]:
    """Give the tables of a section: rows of cells, without their heads."""
    found = re.findall(r"^(?:\|.*\n)+", section(heading), re.MULTILINE)
    return [[row.strip("| ").split(" | ") for row in table.splitlines()[2:]] for table in found]


def blocks(heading: str) -> list[list[str]]:
    """Give the words of each fenced block of a section."""
    return [text.split() for text in re.findall(r"```text\n(.*?)```", section(heading), re.DOTALL)]


def by_name(table: Iterable[list[str]]) -> dict[str, list[str]]:
    """Give the last cell's names by the first cell's."""
    return {names(first)[0]: names(last) for first, *_, last in table}


def test_the_requests_are_those_that_are_described():
    promised = {name for [cell] in tables("HTTP")[0] for name in names(cell)}
    described = {
        f"{method.upper()} {path}"
        for path, methods in OPENAPI["paths"].items()
        for method in methods
    }
    assert promised == described | UNDESCRIBED


def test_documents_have_the_fields_that_are_promised():
    schemas = OPENAPI["components"]["schemas"].items()
    fields = {
        name: list(schema["properties"]) for name, schema in schemas if "properties" in schema
    }
    assert by_name(tables("HTTP")[1]) == fields


def test_problem_codes_have_the_status_that_is_promised():
    promised = {code: int(status) for status, codes in tables("HTTP")[2] for code in names(codes)}
    assert promised == {code: kind.status for code, kind in KINDS.items()}


def test_the_tables_of_the_schema_have_the_columns_that_are_promised(db):
    for table, _, columns in tables("SQL")[0]:
        db.execute(f"select {', '.join(names(columns))} from {names(table)[0]}")


def test_producers_may_set_what_the_readme_and_the_api_offer():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [columns] = [row[2] for row in tables("SQL")[0] if row[1] == "insert"]
    offered = re.findall(
        r"^\| `(\w+)` \|.*\|.*\|$", readme.partition("| column |")[2], re.MULTILINE
    )
    assert names(columns) == offered
    assert names(columns) == list(OPENAPI["components"]["schemas"]["NewNotification"]["properties"])


def test_functions_have_the_arguments_that_are_promised(db):
    for function, arguments in tables("SQL")[2]:
        name = names(function)[0]
        query = "select proargnames[:pronargs] as given from pg_proc where oid = %s::regproc"
        given = db.execute(query, [name]).fetchone().given or []
        assert [word for word in names(arguments) if word != "max_attempts"] == given, name


def test_columns_have_the_words_that_are_promised():
    words = {"channel": list(Channel), "status": list(Status), "outcome": list(Outcome)}
    assert by_name(tables("SQL")[1]) == words


def test_commands_have_the_options_that_are_promised():
    promised = {
        name.split()[1]: set(options) for name, options in by_name(tables("Commands")[0]).items()
    }
    assert promised == {name: words_of(command) for name, command in parser().commands.items()}


def words_of(command: Any) -> set[str]:
    """Give the options and the places of a command, as its usage writes them."""
    return {
        word
        for action in command._actions
        for word in action.option_strings or [action.metavar]
        if word not in ("-h", "--help")
    }


def test_exit_codes_are_those_that_help_explains():
    general = str(parser().epilog).partition("exit codes: ")[2].partition(". `notify doctor`")[0]
    waiting = str(parser().commands["send"].description).partition("how it ended: ")[2]
    explained = re.findall(r"\b(\d+) [a-zC]", general + waiting)
    promised = re.findall(r"\d+", " ".join(row[0] for row in tables("Commands")[1]))
    assert set(promised) == set(explained)
    assert len(promised) == len(set(promised))


def test_settings_are_those_that_are_promised():
    [listed] = blocks("Settings")
    assert sorted(listed) == sorted(NAMES)


def test_metrics_have_the_names_and_types_that_are_promised():
    made: dict[str, list[str]] = {"counter": [], "gauge": [], "histogram": []}
    for family in families():
        made[family.type].append(family.name + "_total" * (family.type == "counter"))
    assert blocks("Metrics") == [sorted(listed) for listed in made.values()]


@pytest.mark.parametrize(("path", "name"), TESTS, ids=lambda word: word.rpartition("/")[2])
def test_what_holds_a_promise_is_a_test(path, name):
    text = (ROOT / path).read_text(encoding="utf-8")
    assert re.search(rf"^def {name or 'test_'}", text, re.MULTILINE)
    assert not name or f"def {name}(" in text


@pytest.mark.parametrize("heading", ["What receivers get", "Log lines"])
def test_every_promise_of_a_table_names_what_holds_it(heading):
    assert all("`tests/" in row[-1] for row in tables(heading)[0])


def test_every_promise_of_security_names_what_holds_it():
    promises = SECURITY.partition("\n## What we promise\n")[2].partition("\nIn scope")[0]
    rows = promises.strip().splitlines()[2:]
    assert len(rows) > 10
    assert all("`tests/" in row.rpartition(" | ")[2] for row in rows)
