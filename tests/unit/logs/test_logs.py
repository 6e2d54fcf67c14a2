"""Logs: one JSON object per line, or pretty; and no more of a recipient than is needed."""

import json
import logging
import re
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from service.logs import logs

pytestmark = pytest.mark.usefixtures("logs_restored")


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


@pytest.mark.parametrize("style", ["json", "pretty"])
def test_a_field_may_have_any_name(capsys, style):
    logs.set_up("worker", style=style)
    logger.info("odd", rows=2, lines=3)
    printed = capsys.readouterr().err
    assert re.search(r"\brows\W+2\b.*\blines\W+3\b", printed)


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


def ids(*numbers):
    return [{"notification_id": f"id-{n}", "attempt": n} for n in numbers]


def test_transitions_are_a_line_each_with_the_id(capsys):
    logs.set_up("worker", style="json")
    logs.transitions("sent", ids(1, 2, 3))
    printed = lines(capsys)
    assert len({line.pop("ts") for line in printed}) == 1
    head = {"level": "info", "role": "worker", "event": "sent"}
    assert printed == [head | row for row in ids(1, 2, 3)]


def test_transitions_are_one_write(capsys, monkeypatch):
    logs.set_up("worker", style="json")
    written = []
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(buffer=Buffer(written)))
    logs.transitions("sent", ids(*range(500)))
    assert [text.count(b"\n") for text in written] == [500]


class Buffer:
    """Keeps what is written, call by call."""

    def __init__(self, written):
        self.write = written.append

    def flush(self):
        """Write nothing more."""


def test_rows_that_nobody_wants_to_see_are_not_even_made(capsys):
    def rows():
        raise AssertionError("asked for")
        yield {}

    logs.set_up("worker", level="warning", style="json")
    logs.transitions("sent", rows())
    assert capsys.readouterr().err == ""


def test_no_transitions_are_no_line(capsys):
    for style in ("json", "pretty"):
        logs.set_up("worker", style=style)
        logs.transitions("sent", [])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("style", ["json", "pretty"])
def test_a_line_stays_one_line_whatever_is_in_it(capsys, style):
    logs.set_up("worker", style=style)
    odd = "a\r\nb\x00\x1b[31m\u2028\x85\x9b\x7f\u202e\u2066\u200b\U000e0041\ud800 {x} \0 }\n{"
    logs.transitions("odd\nevent", [{"notification_id": odd}, {"notification_id": odd}])
    logger.info(f"said\n{odd}".replace("{", "{{").replace("}", "}}"), text=odd, n=1 << 70)
    printed = capsys.readouterr().err
    assert printed.count("\n") == 3 and printed.endswith("\n")
    assert all(line.isprintable() for line in printed.split("\n"))
    if style == "json":
        rows = [json.loads(line) for line in printed.splitlines()]
        assert rows[0]["notification_id"] == odd == rows[2]["text"]
    else:
        assert len(printed.splitlines()) == 3
        assert "\x1b" not in printed and r"\x1b[31m" in printed


def test_pretty_transitions_say_the_same_to_a_person(capsys):
    logs.set_up("worker", style="pretty")
    logs.transitions("retry", [{"notification_id": "x", "code": None, "due_in_s": 2.5}], "WARNING")
    printed = capsys.readouterr().err
    assert re.fullmatch(
        r"[\d:.]{12} WARNING worker     retry notification_id=x due_in_s=2.5\n", printed
    )


def refuse(error):
    raise error


def test_an_error_shows_where_it_was_and_nothing_of_the_row(capsys):
    for style in ("json", "pretty"):
        logs.set_up("api", style=style)
        try:
            refuse(ValueError("null value\nDETAIL:  Failing row contains (SECRET)."))
        except ValueError:
            logger.exception("broke")
    as_json, pretty = capsys.readouterr().err.splitlines()
    assert json.loads(as_json)["error"] == "null value"
    assert re.search(r"logs/test_logs.py:\d+ test_an_error_shows", json.loads(as_json)["stack"])
    assert "error=null value" in pretty
    assert "SECRET" not in as_json + pretty


def test_a_group_of_one_error_is_that_error(capsys):
    logs.set_up("api", style="json")
    try:
        refuse(ExceptionGroup("unhandled", [ExceptionGroup("again", [KeyError("x")])]))
    except ExceptionGroup:
        logger.exception("broke")
    assert lines(capsys)[0]["error_type"] == "KeyError"


def test_a_level_that_a_library_made_up_is_one_of_ours(capsys):
    logs.set_up("api", style="json")
    logging.addLevelName(35, "NOTICE")
    logging.getLogger("odd").log(35, "x")
    assert lines(capsys)[0]["level"] == "warning"


def test_a_part_of_the_process_can_speak_as_its_role(capsys):
    logs.set_up("up", style="json")
    with logger.contextualize(role="worker"):
        logs.transitions("sent", ids(1))
    logger.info("x")
    assert [line["role"] for line in lines(capsys)] == ["worker", "up"]


@pytest.mark.parametrize(
    ("recipient", "shown"),
    [
        ("someone@example.org", "s…@example.org"),
        ("https://example.org/hooks/secret?token=1", "https://example.org/…"),
        ("https://user:pw@example.org:8443/x", "https://example.org:8443/…"),
        ("http://example.org?token=1", "http://example.org/…"),
        ("http://example.org#token", "http://example.org/…"),
        ("https://host?token=abc@SECRET", "https://host/…"),
        ("https://host#a@SECRET", "https://host/…"),
        ("https://host\\@SECRET/x", "https://host/…"),
        ("https://user:pa/ss@host", "…://…"),
        ("https://[2001:db8::1]:8080/x", "https://[2001:db8::1]:8080/…"),
        ("https://[SECRET]/x", "…://…"),
        ("https://host:SECRET/x", "…://…"),
        ("SECRET://host/x", "…://…"),
        ("https://user:pw@EXAMPLE.org.:0443/x", "https://example.org/…"),
        ("http:/host/x@y/SECRET", "h…@…"),
        ("//host/SECRET", "/…"),
        ("a@b.example?x=SECRET", "a…@…"),
        ("ada@bücher.example", "a…@bücher.example"),
        ("+4930123456", "+…"),
        ("", "…"),
        ("@x", "…@x"),
    ],
)
def test_a_recipient_is_masked(recipient, shown):
    assert logs.masked(recipient) == shown


ENDS = "/?#\\"
LETTERS = "abz09.-_~:@&=%;,!$'()*+[]\u2100\uff0f\u3002 \t\n"
SCHEMES = ["http://", "https://", "HTTPS://", "ftp://", "SECRET://", "://", "//", "http:/"]


@given(
    scheme=st.sampled_from(SCHEMES),
    user=st.text(LETTERS, max_size=9),
    end=st.sampled_from(ENDS),
    before=st.text(LETTERS + ENDS, max_size=9),
    after=st.text(LETTERS + ENDS, max_size=9),
)
def test_no_mask_shows_a_path_a_query_a_fragment_or_userinfo(scheme, user, end, before, after):
    assert "SECRET" not in logs.masked(f"{scheme}host{end}{before}SECRET{after}")
    assert "SECRET" not in logs.masked(f"{scheme}{user}@host{end}{before}SECRET{after}")
    assert "SECRET" not in logs.masked(f"{scheme}{user}SECRET{user}@host")
    assert "SECRET" not in logs.masked(f"{scheme}{user}SECRET@host{end}{before}{after}")
