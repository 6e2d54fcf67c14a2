"""A `notify up` is found by its state directory while it runs, and only then."""

import os

import pytest

from service.embedded.found import FILE, findable, running_up


def test_it_is_found_while_it_runs(tmp_path):
    assert running_up(tmp_path) is None
    with findable(tmp_path, "http://127.0.0.1:4000", os.getpid()):
        assert running_up(tmp_path) == ("http://127.0.0.1:4000", os.getpid())
    assert running_up(tmp_path) is None


@pytest.mark.parametrize(
    "left",
    ["", "{}", "[]", "null", "half{", '{"url": "u", "pid": "x"}', '{"url": "u", "pid": 999999999}'],
)
def test_what_a_killed_one_left_is_not_taken_for_one(tmp_path, left):
    (tmp_path / FILE).write_text(left)
    assert running_up(tmp_path) is None
