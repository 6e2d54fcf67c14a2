import pytest

from service.dispatch.turns import AWAKE_PAUSE_S, STREAM_PAUSE_S, STREAM_ROWS, awake_s

LOW_S, HIGH_S = AWAKE_PAUSE_S


@pytest.mark.parametrize(
    ("took_s", "pause_s"), [(0.0, LOW_S), (LOW_S, 2 * LOW_S), (HIGH_S, HIGH_S), (1.0, HIGH_S)]
)
def test_after_a_few_rows_it_pauses_for_twice_as_long_as_the_look_took(took_s, pause_s):
    assert awake_s(1, took_s) == pause_s
    assert awake_s(STREAM_ROWS.start - 1, took_s) == pause_s


def test_in_a_stream_each_look_is_for_many():
    assert awake_s(STREAM_ROWS.start, 0.0) == STREAM_PAUSE_S
    assert awake_s(STREAM_ROWS.stop - 1, 1.0) == STREAM_PAUSE_S


def test_a_backlog_does_not_wait_for_more():
    assert awake_s(STREAM_ROWS.stop, 0.0) == LOW_S
