"""Rows of the bench: what is asked of them, and which of several runs counts."""

import json
from typing import Any

import pytest

from load.bench.table import Row, as_json, middle, table


def row(figure: float, **more: Any) -> Row:
    defaults = {"what": "drain", "unit": "/s", "ceiling": 100.0, "ceiling_is": "pgbench"}
    return Row(figure=figure, **{**defaults, **more})


@pytest.mark.parametrize(
    ("more", "good"),
    [
        ({}, None),
        ({"asked": 50}, True),
        ({"asked": 70}, False),
        ({"asked_ratio": 0.6}, True),
        ({"asked_ratio": 0.7}, False),
        ({"asked": 50, "asked_ratio": 0.7}, False),
        ({"asked": 70, "asked_ratio": 0.6}, False),
        ({"unit": "ms", "asked": 70}, True),
        ({"unit": "ms", "asked": 50}, False),
        ({"unit": "ms", "asked_ratio": 0.5}, False),
    ],
)
def test_a_row_is_good_when_figure_and_ratio_are_what_was_asked(more, good):
    assert row(60, **more).good is good


def test_the_run_whose_ratio_is_in_the_middle_counts_for_each_row():
    runs = [
        [row(60), row(7, unit="ms")],
        [row(90), row(9, unit="ms")],
        [row(20), row(8, unit="ms")],
    ]
    assert [kept.figure for kept in middle(runs)] == [60, 8]


def test_the_table_says_what_was_asked_of_figure_and_ratio():
    lines = table([row(60, asked=50, asked_ratio=0.7, note="busy")]).splitlines()
    assert lines[1].split() == (
        ["drain", "60.0/s", "≥", "50.0/s", "100/s", "0.60", "≥", "0.70", "NO", "pgbench", "(busy)"]
    )


def test_json_has_the_ratio_and_whether_it_is_good():
    [read] = json.loads(json.dumps(as_json([row(60, asked_ratio=0.6)])))
    assert (read["figure"], read["ratio"], read["good"]) == (60, 0.6, True)
