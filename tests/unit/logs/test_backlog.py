"""What waits for Loki: bounded, oldest first, and in the shape that a push has."""

import json

import pytest

from service.logs import backlog as loki_backlog
from service.logs.backlog import Backlog, Chunk, body


def chunk(*lines: str, ns: int = 0, role: str = "worker", level: str = "info") -> Chunk:
    text = "".join(f"{line}\n" for line in lines).encode()
    return Chunk(role=role, level=level, ns=ns, lines=text, count=len(lines))


def texts(chunks):
    return [line for chunk in chunks for line in chunk.lines.decode().split("\n")[:-1]]


def values(*chunks: Chunk):
    [stream] = json.loads(body(chunks))["streams"]
    return [(int(ns), line) for ns, line in stream["values"]]


def test_what_waits_is_taken_oldest_first_and_once():
    backlog = Backlog()
    for n in range(3):
        assert backlog.put(chunk(f"{n}a", f"{n}b")) == 0
    assert texts(backlog.take()) == ["0a", "0b", "1a", "1b", "2a", "2b"]
    assert backlog.take() == []
    assert (backlog.lines, backlog.bytes) == (0, 0)


def test_a_full_backlog_drops_the_oldest_and_says_how_many():
    backlog = Backlog(lines_max=5)
    assert [backlog.put(chunk(f"{n}a", f"{n}b")) for n in range(4)] == [0, 0, 2, 2]
    assert backlog.lines == 4
    assert texts(backlog.take()) == ["2a", "2b", "3a", "3b"]


def test_a_backlog_is_full_by_bytes_too():
    backlog = Backlog(bytes_max=20)
    assert [backlog.put(chunk("x" * 8)) for _ in range(4)] == [0, 0, 1, 1]
    assert backlog.bytes == 18


def test_a_chunk_that_never_fits_is_dropped_itself():
    backlog = Backlog(lines_max=1)
    assert backlog.put(chunk("a", "b")) == 2
    assert (backlog.lines, backlog.bytes, backlog.take()) == (0, 0, [])


def test_a_call_that_told_of_nobody_does_not_wait():
    """No limit counts it: while Loki and PostgreSQL are away there would be ever more of them."""
    backlog = Backlog()
    assert backlog.put(chunk()) == 0
    assert not backlog.chunks


@pytest.mark.parametrize(("limit", "value"), [("BATCH_LINES_MAX", 4), ("BATCH_BYTES_MAX", 12)])
def test_a_batch_is_bounded_by_lines_and_by_bytes(monkeypatch, limit, value):
    monkeypatch.setattr(loki_backlog, limit, value)
    backlog = Backlog()
    for n in range(5):
        backlog.put(chunk(f"{n}a", f"{n}b"))
    assert backlog.fills_a_batch
    assert [texts(backlog.take()) for _ in range(3)] == [
        ["0a", "0b", "1a", "1b"],
        ["2a", "2b", "3a", "3b"],
        ["4a", "4b"],
    ]
    assert not backlog.fills_a_batch


def test_a_chunk_larger_than_a_batch_goes_alone(monkeypatch):
    monkeypatch.setattr(loki_backlog, "BATCH_LINES_MAX", 2)
    backlog = Backlog()
    backlog.put(chunk("a", "b", "c"))
    backlog.put(chunk("d"))
    assert texts(backlog.take()) == ["a", "b", "c"]
    assert texts(backlog.take()) == ["d"]


def test_a_stream_has_three_labels_and_no_more():
    document = json.loads(
        body([chunk("a"), chunk("b", level="warning"), chunk("c", role="api"), chunk("d")])
    )
    assert [(s["stream"], [line for _, line in s["values"]]) for s in document["streams"]] == [
        ({"app": "notify", "role": "worker", "level": "info"}, ["a", "d"]),
        ({"app": "notify", "role": "worker", "level": "warning"}, ["b"]),
        ({"app": "notify", "role": "api", "level": "info"}, ["c"]),
    ]


def test_lines_of_one_moment_keep_their_order_by_a_nanosecond_each():
    assert values(chunk("a", "b", "c", ns=1000)) == [(1000, "a"), (1001, "b"), (1002, "c")]


def test_time_only_rises_within_a_stream_whoever_was_queued_first():
    late, early, between = chunk("d", ns=9), chunk("a", "b", "c", ns=5), chunk("x", ns=6)
    assert values(late, early, between) == [(5, "a"), (6, "b"), (7, "c"), (8, "x"), (9, "d")]


def test_separators_that_are_no_line_breaks_stay_in_their_line():
    assert values(chunk('{"a":"\u2028\u0085"}', ns=1)) == [(1, '{"a":"\u2028\u0085"}')]
