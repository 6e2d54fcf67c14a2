"""The header of each function in sql/ names who calls it: functions, or methods that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SQL = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "sql").glob("*.sql")}
# It tries functions out, on no row of anybody's.
CHECK = "faults"


def caller(name: str) -> str:
    """Return what stands after `Caller`, as one line."""
    lines = re.search(r"^-- Caller   (.*\n(?:--          .*\n)*)create ", SQL[name], re.MULTILINE)
    assert lines, f"sql/{name}.sql: its header does not end with Caller"
    return re.sub(r"\n--\s+", " ", lines[1]).strip()


def body(name: str) -> str:
    """Return a function without its header and comments."""
    return re.sub(r"--.*", "", SQL[name])


def methods() -> set[str]:
    """Name all methods of the stores and of the sessions, as Class.method."""
    names = set()
    for folder in ("service/ledger", "service/dispatch", "workers"):
        for path in (ROOT / folder).glob("*.py"):
            whose = "workers' " if folder == "workers" else ""
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef):
                    names |= {
                        f"{whose}{node.name}.{item.name}"
                        for item in node.body
                        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
                    }
    return names


METHODS = methods()


@pytest.mark.parametrize("name", sorted(SQL))
def test_the_functions_it_names_are_those_that_call_it(name):
    text = caller(name).partition(", when ")[0].partition(" of service/")[0]
    named = {word for word in re.findall(r"(\w+)\(\)", text) if word in SQL}
    calling = {f for f in SQL.keys() - {name, CHECK} if f"notify.{name}(" in body(f)}
    if caller(name).startswith("trigger "):
        calling.clear()
    assert named == calling, f"sql/{name}.sql: Caller should name {sorted(calling)}"


@pytest.mark.parametrize("name", sorted(SQL))
def test_the_methods_it_names_exist(name):
    named = set(re.findall(r"((?:workers' )?\b[A-Z]\w+\.\w+)", caller(name)))
    assert named <= METHODS, f"sql/{name}.sql: there is no {sorted(named - METHODS)}"


@pytest.mark.parametrize("name", sorted(SQL))
def test_it_names_somebody(name):
    text = caller(name)
    kinds = (r"\w+\(\)", r"[A-Z]\w+\.\w+", "^trigger ", "^the migration ")
    assert any(re.search(kind, text) for kind in kinds), f"sql/{name}.sql: Caller {text}"
