"""Logs: one JSON object per line, or pretty; and no more of a recipient than is needed."""

import json
import logging

import pytest
from loguru import logger

from service import logs


@pytest.fixture(autouse=True)
def afterwards():
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logger.remove()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().err.rstrip("\n").split("\n")]


def test_a_line_is_one_json_object_with_event_and_fields(capsys):
    logs.set_up("worker", style="json")
    logger.info("settled", id="x", status="sent", age_s=1.5)
    [line] = lines(capsys)
    assert line.pop("ts")
    assert line == {
        "level": "info",
        "role": "worker",
        "event": "settled",
        "id": "x",
        "status": "sent",
        "age_s": 1.5,
    }


def test_newlines_quotes_and_unicode_stay_in_their_line(capsys):
    logs.set_up("api", style="json")
    logger.info("odd", text='a\nb"c\u2028ü', data=b"\x00")
    [line] = lines(capsys)
    assert line["text"] == 'a\nb"c\u2028ü'


def test_braces_in_fields_are_not_taken_for_a_format(capsys):
    logs.set_up("api", style="json")
    logger.info("odd", text="{nobody} {0} {}")
    assert lines(capsys)[0]["text"] == "{nobody} {0} {}"


def test_an_exception_is_a_type_and_a_text_in_the_same_line(capsys):
    logs.set_up("api", style="json")
    try:
        int("two\nlines")
    except ValueError:
        logger.exception("broke", id=1)
    [line] = lines(capsys)
    assert (line["event"], line["level"], line["error_type"], line["error"]) == (
        "broke",
        "error",
        "ValueError",
        "invalid literal for int() with base 10: 'two\\nlines'",
    )


def test_the_level_is_a_floor(capsys):
    logs.set_up("api", level="warning", style="json")
    logger.info("quiet")
    logger.warning("loud")
    assert [line["event"] for line in lines(capsys)] == ["loud"]


def test_libraries_come_along_from_warning_on(capsys):
    logs.set_up("api", style="json")
    logging.getLogger("aiohttp.server").info("quiet")
    logging.getLogger("aiohttp.server").warning("trouble %s", "{x}")
    [line] = lines(capsys)
    assert (line["event"], line["level"], line["role"]) == ("trouble {x}", "warning", "api")


def test_pretty_lines_say_the_same_to_a_person(capsys):
    logs.set_up("worker", style="pretty")
    logger.info("settled", id="x", note="{braces} <red>")
    printed = capsys.readouterr().err
    assert "settled" in printed and "worker" in printed
    assert "id=x" in printed and "note={braces} <red>" in printed
    assert len(printed.splitlines()) == 1


def test_json_is_the_style_where_there_is_no_terminal(capsys):
    logs.set_up("api")
    logger.info("x")
    assert lines(capsys)[0]["event"] == "x"


def test_setting_up_again_does_not_double_the_lines(capsys):
    logs.set_up("api", style="json")
    logs.set_up("worker", style="json")
    logger.info("x")
    assert [line["role"] for line in lines(capsys)] == ["worker"]


@pytest.mark.parametrize(
    ("recipient", "shown"),
    [
        ("someone@example.org", "s…@example.org"),
        ("https://example.org/hooks/secret?token=1", "https://example.org/…"),
        ("https://user:pw@example.org:8443/x", "https://example.org:8443/…"),
        ("http://example.org?token=1", "http://example.org/…"),
        ("http://example.org#token", "http://example.org/…"),
        ("+4930123456", "+…"),
        ("", "…"),
        ("@x", "…@x"),
    ],
)
def test_a_recipient_is_masked(recipient, shown):
    assert logs.masked(recipient) == shown
