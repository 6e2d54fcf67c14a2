"""Whatever JSON can say comes back as it went in, and nothing ends in a 500."""

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.model.words import Channel
from tests.integration.api.serving import LINE, Api

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5)
)
ANY_TEXT = st.text(max_size=20)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
)
FIELDS = st.sampled_from(
    ["channel", "recipient", "payload", "priority", "send_at", "expires_at", "max_attempts",
     "reference", "id", ""])  # fmt: skip
# The edge uses `random` while examples are drawn, and Hypothesis takes it for the strategy.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning"
)
MANY = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def same(one: Any, other: Any) -> bool:
    """Compare by value; numbers as jsonb does: 1.0 is 1, and -0.0 is 0."""
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=1e-15)
    return type(one) is type(other) and bool(one == other)


@MANY
@given(payload=VALUES, is_ascii=st.booleans())
def test_any_value_comes_back(api: Api, payload: Any, is_ascii: bool) -> None:
    body = json.dumps(LINE | {"payload": payload}, ensure_ascii=is_ascii).encode()
    answer = api.post(body)
    assert answer.status == 202
    assert same(payload, api.get(answer.json["links"]["self"]).json["payload"])


@MANY
@given(body=st.dictionaries(FIELDS, ANYTHING) | ANYTHING)
def test_any_json_is_answered(api: Api, body: Any) -> None:
    assert api.post(body).status in (202, 400, 422)


@MANY
@given(fields=st.dictionaries(FIELDS, ANYTHING), channel=st.sampled_from(list(Channel)))
def test_any_field_is_answered(api: Api, fields: Any, channel: str) -> None:
    assert api.post(LINE | fields | {"channel": channel}).status in (202, 400, 422)


@MANY
@given(body=st.binary(max_size=200))
def test_any_bytes_are_answered(api: Api, body: bytes) -> None:
    assert api.post(body).status in (400, 422)


@MANY
@given(body=st.binary(max_size=40), at=st.integers(0, 60))
def test_any_damage_is_answered(api: Api, body: bytes, at: int) -> None:
    whole = json.dumps(LINE | {"payload": {"a": ["\u00e4", "\U0001f600", 1e300]}}).encode()
    assert api.post(whole[:at] + body + whole[at + len(body) :]).status in (202, 400, 422)
