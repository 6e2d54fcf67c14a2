"""What the edge accepts, PostgreSQL accepts; and both measure a payload alike."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from service.api.body import NewNotification, read_notification
from service.api.stored_size import is_too_large, stored_bytes
from service.config.settings import Settings
from service.http.problems import Problem
from service.ledger.enqueue_store import ENQUEUE
from service.limits import BODY_BYTES_MAX, PAYLOAD_BYTES_MAX

SETTINGS = Settings()
MANY = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# For a test that leaves out what the edge refuses, which may be nine in ten of what is drawn.
SOME = settings(
    MANY,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)

NUMBERS = st.from_regex(
    r"\A-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?([eE][+-]?0{0,2}[0-9]{1,3})?\Z",
    alphabet="-+.eE0123456789",
)
PIECES = ["a", "é", "😀", "\x7f", " ", ",", ":", "1e5", r"\u00e9", r"\ud83d\ude00", r"\n", r"\/",
          r"\u000a", r"\u001F", r"\u0041", r"\"", r"\\", r"\\u0000", r"\u0000", r"\ud800",
          r"\udc00"]  # fmt: skip
STRINGS = st.lists(st.sampled_from(PIECES), max_size=4).map(lambda p: f'"{"".join(p)}"')
NAMES = st.sampled_from(['"a"', r'"\u0061"', '"b"', '""', r'"\u0000"']) | STRINGS
SPACES = st.sampled_from(["", " ", "\n", "\t\r "])


@pytest.fixture
def db(shared_db: Any) -> Any:
    return shared_db


def array(items: list[str], space: str) -> str:
    return f"[{space}" + f"{space},{space}".join(items) + f"{space}]"


def members(pairs: list[tuple[str, str]], space: str) -> str:
    return "{" + space + f",{space}".join(f"{k}{space}:{v}" for k, v in pairs) + space + "}"


TEXTS = st.recursive(
    NUMBERS | STRINGS | st.sampled_from(["true", "null", "-0", "-0.0", "1E+2", "0e-400"]),
    lambda inner: (
        st.builds(array, st.lists(inner, max_size=4), SPACES)
        | st.builds(members, st.lists(st.tuples(NAMES, inner), max_size=4), SPACES)
    ),
)


def line(payload: str) -> bytes:
    return b'{"channel":"log","recipient":"a","payload":' + payload.encode() + b"}"


def row(body: bytes) -> NewNotification | None:
    """Read a body as the edge does; None: refused."""
    try:
        return read_notification(body, SETTINGS)
    except Problem:
        return None


def stored(db: Any, text: str) -> int:
    """Ask PostgreSQL for a payload's size."""
    return int(db.execute("select octet_length(%s::jsonb::text)", [text]).fetchone()[0])


def refusal(db: Any, *rows: NewNotification) -> list[Any]:
    """Enqueue; returns the refusals."""
    return [r.refusal for r in db.execute(ENQUEUE, [msgspec.json.encode(rows).decode()])]


@MANY
@given(text=TEXTS)
def test_what_the_edge_accepts_the_database_stores_in_so_many_bytes(db: Any, text: str) -> None:
    accepted = row(line(text))
    if accepted is not None:
        assert refusal(db, accepted) == [None]
        assert stored_bytes(text.encode()) == stored(db, text)


@SOME
@given(item=TEXTS, off=st.integers(-1, 2), pad=st.integers(0, 30))
def test_both_draw_the_same_line_at_256_kib(db: Any, item: str, off: int, pad: int) -> None:
    assume(row(line(item)) is not None)
    items = (PAYLOAD_BYTES_MAX - pad) // (stored(db, item) + 2) + off
    text = f'["{"x" * pad}",' + ",".join([item] * items) + "]"
    assume(len(text.encode()) <= BODY_BYTES_MAX)
    assert is_too_large(msgspec.Raw(text.encode())) == (stored(db, text) > PAYLOAD_BYTES_MAX)


@pytest.mark.parametrize("name", ["a", r"\u0061"])
def test_what_a_later_member_replaces_is_not_measured(db: Any, name: str) -> None:
    text = f'{{"a":{array(["1e308"] * 2000, "")},"{name}":1,"b":-1.5e300}}'
    assert stored_bytes(text.encode()) == stored(db, text)
    assert row(line(text)) is not None


LARGE: dict[str, Callable[[int], str]] = {
    "1e308": lambda n: array(["1e308"] * n, ""),
    "1e-400": lambda n: array(["1e-400"] * n, ""),
    "1E+2": lambda n: array(["1E+2"] * n, ""),
    "1e9": lambda n: array(["1e9"] * n, ""),
    "1e0": lambda n: array(["1e0"] * n, ""),
    "1e-1": lambda n: array(["1e-1"] * n, ""),
    "numbers that differ": lambda n: array([f"1.{i:04}e-{i % 10}" for i in range(n)], ""),
    "numbers that are replaced": lambda n: members([('"a"', "1e2")] * n, ""),
    "1": lambda n: array(["1"] * n, ""),
    "-0.0": lambda n: array(["-0.0"] * n, ""),
    "-0": lambda n: array(["-0"] * n, ""),
    "1.50e1": lambda n: array(["1.50e1"] * n, ""),
    "empty objects": lambda n: array(["{}"] * n, ""),
    "members": lambda n: members([(f'"{n}"', "1") for n in range(n)], ""),
    "a member again and again": lambda n: members([('"a"', "1")] * n, " "),
    "members whose numbers are replaced": lambda n: array(['{"a":0e-400,"a":[]}'] * n, ""),
    "members that replace": lambda n: array(['{"a":0,"a":1e-400}'] * n, ""),
    "escapes": lambda n: array([r'"\u00e9"'] * n, " "),
    "commas in strings": lambda n: array([f'",:{n}"' for n in range(n)], ""),
}  # fmt: skip


def last(holds: Callable[[int], bool], most: int) -> int:
    """Find the last number up to `most` for which it holds."""
    least = 0
    while least < most:
        half = (least + most + 1) // 2
        least, most = (half, most) if holds(half) else (least, half - 1)
    return least


@pytest.mark.parametrize("name", LARGE)
def test_a_large_payload_is_measured_alike(db: Any, name: str) -> None:
    make = LARGE[name]
    longest = last(lambda n: len(make(n)) < BODY_BYTES_MAX - 100, 100_000)
    least = last(lambda n: stored(db, make(n)) <= PAYLOAD_BYTES_MAX, longest)
    for n in {least, min(least + 1, longest), longest}:
        text = make(n)
        fits = stored(db, text) <= PAYLOAD_BYTES_MAX
        assert is_too_large(msgspec.Raw(text.encode())) is not fits
        accepted = row(line(text))
        assert (accepted is not None) is fits
        if accepted is not None:
            assert refusal(db, accepted) == [None]


NUMBERS_AT_THE_LIMITS = [
    "0." + "0" * 16382 + "1", "0." + "1" * 16383, "1" * 309 + "." + "1" * 16383, "9" * 4300,
    "0." + "1" * 15983 + "e-400", "0." + "1" * 16383 + "e0", "1" * 4300 + ".5", "1e-400", "0e400",
    "1." + "0" * 200_000, "0." + "1" * 16384 + "e-400", "1" * 140_000 + ".5", "1" * 4301,
    '{"a":1e131072,"a":1}', '{"a":0.' + "1" * 16384 + r',"\u0061":1}', r'{"a":"\u0000","a":1}',
    r'{"a":"\ud800","a":1}', r'{"\u0000":1,"\u0000":2}', '{"a":{"b":1e400},"a":1}',
]  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS_AT_THE_LIMITS, ids=range(len(NUMBERS_AT_THE_LIMITS)))
def test_what_is_at_a_limit_is_refused_here_or_accepted_there(db: Any, text: str) -> None:
    accepted = row(line(text))
    if accepted is not None:
        assert refusal(db, accepted) == [None]


@MANY
@given(
    days=st.integers(-364, 29),
    offset=st.integers(-24 * 60, 24 * 60),
    fraction=st.sampled_from(["", ".0", ".123456", ".1234567891"]),
    lives=st.booleans(),
)
def test_a_time_of_any_offset_that_the_edge_accepts_is_stored_as_it_is(
    db: Any, days: int, offset: int, fraction: str, lives: bool
) -> None:
    at = (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)
    here = (at + timedelta(minutes=offset)).strftime("%Y-%m-%dT%H:%M:%S") + fraction
    zone = f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
    times = {"send_at": here + zone}
    if lives:
        times["expires_at"] = f"2034-12-31T23:59:59{fraction}{zone}"
    body = json.dumps({"channel": "log", "recipient": "a", "payload": 1} | times).encode()
    accepted = row(body)
    if accepted is not None:
        [found] = db.execute(ENQUEUE, [msgspec.json.encode([accepted]).decode()])
        assert found.refusal is None
        kept = db.execute("select send_at from notify.notifications where id = %s", [found.id])
        assert kept.fetchone().send_at.replace(microsecond=0) == at


@pytest.mark.parametrize("field", ["send_at", "expires_at"])
@pytest.mark.parametrize(
    "time",
    ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00-23:59", "9999-12-31T23:59:59-23:59",
     "2030-06-30T23:59:60Z", "2030-01-01T24:00:00Z", "2030-01-01T00:00:00+24:00", "infinity",
     "-infinity", "now", "294276-12-31T23:59:59Z", "4714-11-24T00:00:00Z BC"],
)  # fmt: skip
def test_a_time_beyond_every_calendar_is_refused_at_the_edge(field: str, time: str) -> None:
    body = {"channel": "log", "recipient": "a", "payload": 1, field: time}
    assert row(json.dumps(body).encode()) is None
