"""What may be said of a notification, and JSON that arrives as it was written."""

import json
from collections import OrderedDict, namedtuple
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notification_client._json import LEVELS_MAX, plain, written
from notification_client._notification import OPTIONS, read, read_all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner),
)  # fmt: skip


class Word(StrEnum):
    A = "a"


class Place(IntEnum):
    ONE = 1


class OldWord(str, Enum):  # noqa: UP042
    A = "a"


class Loud(str):
    """Says one thing when it is looked at, and another when it is written."""

    def __str__(self):
        return "\0"

    def __contains__(self, _part):
        return False

    def isascii(self):
        return True


class Changing(dict[str, int]):
    """Has another member each time."""

    def items(self):
        return [("a", 1)]


Pair = namedtuple("Pair", "a b")


@given(JSON)
def test_what_json_has_words_for_arrives_as_it_was(value):
    assert json.loads(written(plain(value))) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Word.A, "a"), (OldWord.A, "a"), (Place.ONE, 1), (Loud("x"), "x"), (Pair(1, 2), [1, 2]),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}), (Changing(b=2), {"a": 1}),
        ({Word.A: 1}, {"a": 1}),
        (True, True), (-0.0, -0.0), ([10**4000], [10**4000]), (1e308, 1e308),
    ],
)  # fmt: skip
def test_subclasses_are_taken_for_their_content(value, expected):
    assert json.loads(written(plain(value))) == expected


def circle():
    value = []
    value.append(value)
    return value


def tower(levels):
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (float("nan"), "payload: JSON has no nan"),
        ({"a": [1, float("inf")]}, "payload/a/1: JSON has no inf"),
        ({"a": datetime.now(UTC)}, "payload/a: JSON has no datetime; write value.isoformat()"),
        ([date(2020, 1, 1)], "payload/0: JSON has no date; write"),
        (Decimal("1.10"), "JSON has no Decimal; write str"),
        (uuid4(), "JSON has no UUID; write str"),
        (b"x", "JSON has no bytes; write base64"),
        ({1}, "JSON has no set"),
        (object(), "JSON has no object"),
        ({1: "a"}, "payload: a name is a text, not int"),
        ({None: "a"}, "a name is a text, not NoneType"),
        ({"a": {True: 1}}, "payload/a: a name is a text, not bool"),
        ("a\0b", "payload: a text contains U\\+0000"),
        ({"a\0": 1}, "contains U\\+0000"),
        (Loud("\0"), "contains U\\+0000"),
        ({"x": "\ud83d"}, "payload/x: a text contains half of a surrogate pair"),
        ([10**5000], "payload/0: a number has too many digits"),
        (circle(), "more than 64 levels"),
        (tower(LEVELS_MAX + 1), "more than 64 levels"),
    ],
)  # fmt: skip
def test_what_json_has_no_word_for_is_refused_with_its_place(value, says):
    with pytest.raises((TypeError, ValueError), match=says):
        plain(value)


def test_as_many_levels_as_the_service_takes():
    assert plain(tower(LEVELS_MAX)) == tower(LEVELS_MAX)


def said(**more):
    return {"channel": "log", "recipient": "r", "payload": None} | more


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"tag": 1}, "no such option: tag. Use expires_at, idempotency_key"),
        ({"Reference": "x"}, "no such option: Reference"),
        ({"channel": None}, "channel is a text, not None"),
        ({"channel": 3}, "channel is a text, not int"),
        ({"recipient": ["a"]}, "recipient is a text, not list"),
        ({"recipient": b"a"}, "recipient is a text, not bytes"),
        ({"recipient": "a\0"}, "recipient contains U"),
        ({"reference": "\ud800"}, "reference contains half"),
        ({"reference": 42}, "reference is a text, not int"),
        ({"priority": "1"}, "priority is a whole number, not str"),
        ({"priority": True}, "priority is a whole number, not bool"),
        ({"priority": 1.0}, "priority is a whole number, not float"),
        ({"send_at": "2030-01-01"}, "send_at is a datetime, not str"),
        ({"send_at": date(2030, 1, 1)}, "send_at is a datetime, not date"),
        ({"send_at": datetime(2030, 1, 1)}, "send_at has no offset"),
        ({"expires_at": datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))}, "after 9999"),
        ({"notify_on_end": "yes"}, "notify_on_end is True or False"),
        ({"notify_on_end": 1}, "notify_on_end is True or False"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(more, says):
    with pytest.raises((TypeError, ValueError), match=says):
        read(said(**more), OPTIONS)


def test_times_are_written_in_utc_whoever_made_their_class():
    class Odd(datetime):
        def isoformat(self, *_):
            return "broken"

    at = Odd(2030, 1, 1, 12, tzinfo=timezone(timedelta(hours=5.5)))
    assert read(said(send_at=at), OPTIONS)["send_at"] == "2030-01-01T06:30:00+00:00"


def test_what_is_far_out_is_left_to_the_service_to_refuse():
    got = read(said(priority=10**30, max_attempts=-(10**30)), OPTIONS)
    assert (got["priority"], got["max_attempts"]) == (4, 0)


def test_none_is_the_default_and_a_payload_all_the_same():
    assert read(said(reference=None, priority=None), OPTIONS) == said()


@pytest.mark.parametrize(
    ("notifications", "says"),
    [
        ([said(), 3], "notification 1: a dict, not int"),
        (["log"], "notification 0: a dict, not str"),
        ([said(), said(), {"channel": "log"}], "notification 2: recipient is missing"),
        ([said(), said(payload={"a": float("nan")})], "notification 1: payload/a"),
        (said(), "notification 0: a dict, not str"),
        ((said() for _ in range(1001)), "more than 1000"),
    ],
)  # fmt: skip
def test_of_many_the_wrong_one_is_named(notifications, says):
    with pytest.raises((TypeError, ValueError), match=says):
        read_all(notifications, OPTIONS)
