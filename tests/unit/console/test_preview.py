"""A value as Python writes it: on several lines as long as that takes little work."""

import ast
import json
from typing import Any

import pytest

from service.console import preview
from service.http.problems import Problem


def nested(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = [value]
    return value


MUCH = {
    "many numbers, deep down": nested([0] * 16_000, 60),
    "many numbers below a few levels": nested([0] * 16_000, 8),
    "some numbers, deep down": nested([0] * 1000, 60),
    "many objects": nested([{}] * 10_000, 4),
    "numbers below a long name": {"k" * 8000: [0] * 4000},
    "numbers below long names": {"k" * 100: {"k" * 100: {"k" * 100: [0] * 500}}},
    "words below a long name": {"k" * 3000: "a " * 5000},
    "words below many levels": nested("a " * 16_000, 60),
    "lines below a long name": {"k" * 3000: "a\n" * 5000},
    "lines of another kind": {"k" * 3000: "a\u2028" * 1000},
}
LITTLE = {
    "a long list": list(range(1000)),
    "a few objects": {"items": [{"id": n, "name": "a name"} for n in range(100)]},
    "a mail": {"subject": "s", "html": "<p>some words</p>\n" * 200},
    "64 levels": nested(["a word", "another one", "a third", "and this is more than a line"], 60),
}


def arguments(made: str) -> dict[str, Any]:
    """Read the values of the call back: those without a name by their places."""
    call = next(
        node
        for node in ast.walk(ast.parse(made))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "send"
    )
    placed = dict(zip(preview.POSITIONS, call.args, strict=True))
    named = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    return {name: ast.literal_eval(node) for name, node in (placed | named).items()}


@pytest.mark.parametrize("name", MUCH)
def test_what_would_take_much_work_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "pformat", None)
    made = preview.client_call({"payload": MUCH[name]}, "http://here", has_keys=False)
    assert arguments(made)["payload"] == MUCH[name]


@pytest.mark.parametrize("name", LITTLE)
def test_anything_else_is_on_several_lines(name: str) -> None:
    made, short = (
        preview.client_call({"payload": value}, "http://here", has_keys=False)
        for value in (LITTLE[name], None)
    )
    assert made.count("\n") > short.count("\n") + 2
    assert arguments(made)["payload"] == LITTLE[name]


def test_the_fields_share_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "pformat", None)
    values = dict.fromkeys(preview.COLUMNS, nested([0] * 50, 60))
    made = preview.client_call(values, "http://here", has_keys=False)
    assert arguments(made) == values


def test_a_body_that_would_take_much_work_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "pformat", None)
    value = MUCH["many numbers, deep down"]
    body = json.dumps({"payload": value}, separators=(",", ":")).encode()
    made = preview.previewed(body, "http://here", has_keys=True)
    assert arguments(made.python)["payload"] == value


@pytest.mark.parametrize(
    ("number", "is_rounded"),
    [
        ("1.10", False),
        ("1E2", False),
        ("-0.0", False),
        ("9007199254740993", False),
        ("12345678901234567890123", False),
        ("12345678901234567890123.4567890123456789", True),
        ("0.1000000000000000055511151231257827", True),
        ("1e-400", True),
        (f"0e{'9' * 30}", True),
    ],
)
def test_a_number_is_written_as_the_request_has_it(number: str, is_rounded: bool) -> None:
    body = f'{{"channel":"log","recipient":"r","payload":{{"n":[{number}]}}}}'
    made = preview.previewed(body.encode(), "http://here", has_keys=False)
    for text in (made.curl, made.sql, made.python):
        assert f"[{number}]" in text
    assert (preview.ROUNDED in made.python) == is_rounded
    assert arguments(made.python)["payload"] == {"n": [ast.literal_eval(number)]}


def test_a_number_that_no_float_holds_is_refused() -> None:
    body = b'{"channel":"log","recipient":"r","payload":1e400}'
    with pytest.raises(Problem, match="invalid_json"):
        preview.previewed(body, "http://here", has_keys=False)
