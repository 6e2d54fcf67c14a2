r"""A function whose text has a backslash reads it as itself, whatever its caller has set.

PL/pgSQL and SQL in $$ are read when they are called: with the caller's standard_conforming_strings
off, '\d' would be a d, and '[^\\]' a bracket that is never closed.
"""

import re
from pathlib import Path

import pytest

SQL = Path(__file__).resolve().parents[2] / "sql"
COMMENT_OR_STRING = re.compile(r"--[^\n]*|'((?:[^']|'')*)'")
FUNCTIONS = {p.stem: p.read_text(encoding="utf-8") for p in sorted(SQL.glob("*.sql"))}


def has_backslash(text: str) -> bool:
    return any("\\" in string for string in COMMENT_OR_STRING.findall(text))


CALLED = [name for name, t in FUNCTIONS.items() if " as $$" in t and has_backslash(t)]


def test_there_are_such_functions():
    assert {"destination_of", "ipv6_spelled", "covered", "pause"} <= set(CALLED)


@pytest.mark.parametrize("name", CALLED)
def test_it_reads_its_strings_as_they_are(name):
    assert "set standard_conforming_strings = on" in FUNCTIONS[name]
