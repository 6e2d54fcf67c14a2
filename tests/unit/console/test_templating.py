"""How templates show values."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from jinja2 import UndefinedError

from service.console.templating import age, environment, moment, plain, sentence, share


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"), (-3, "0.0 s"), (0.04, "0.0 s"), (9.94, "9.9 s"), (12.4, "12 s"),
        (60, "1 min"), (200, "3 min 20 s"), (3600, "1 h"), (187_200, "2 d 4 h"),
    ],
)  # fmt: skip
def test_an_age_has_one_unit_or_two(seconds, text):
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 3, "0.00 %"), (1, 3, "33.33 %"), (99_999, 100_000, "99.99 %"), (7, 7, "100 %")],
)
def test_a_share_is_all_only_if_it_is(part, whole, text):
    assert share(part, whole) == text


def test_a_time_is_shown_in_utc_until_a_script_knows_the_zone():
    at = datetime(2026, 1, 2, 1, 30, 0, 123_456, tzinfo=timezone(timedelta(hours=2)))
    html = moment(at)
    assert 'datetime="2026-01-01T23:30:00.123456+00:00"' in html
    assert 'title="2026-01-01 23:30:00.123 UTC"' in html
    assert moment(None) == "-"
    assert moment(datetime(2026, 1, 1, tzinfo=UTC)).endswith(">2026-01-01 00:00:00 UTC</time>")


def test_texts_of_others_bring_no_characters_that_move_others():
    assert "\u202e" not in plain("a\u202eb\x1b[2J")
    assert plain(None) == ""


def test_a_name_that_is_missing_is_an_error():
    template = environment().from_string("{{ nobody_said }}")
    with pytest.raises(UndefinedError):
        template.render()


def test_every_value_is_escaped():
    template = environment().from_string("{{ text }} {{ text | plain }}")
    assert "<" not in template.render(text="<script>")


def test_times_in_a_sentence_are_elements_and_nothing_else_is():
    html = sentence("Due <b> at 2026-01-01 23:30:00 UTC, not 9999-99-99 99:99:99 UTC.")
    assert '<time datetime="2026-01-01T23:30:00+00:00"' in html
    assert html.count("<time") == 1
    assert "&lt;b&gt;" in html
    assert "not 9999-99-99 99:99:99 UTC." in html
