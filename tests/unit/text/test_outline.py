"""The outline of JSON: where each value begins and ends, whatever is in it."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api import items
from service.text.outline import Flat, plain

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('\\"[]{},:é\t\n\0 a'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.lists(VALUES, max_size=5), st.booleans(), st.sampled_from([None, 2, "\t"]))
def test_an_array_is_cut_where_a_decoder_would_cut_it(array, is_ascii, indent) -> None:
    body = json.dumps(array, ensure_ascii=is_ascii, indent=indent).encode()
    found = asyncio.run(items.elements(body))
    assert items.cut(body, plain(body)) == found
    assert items.cut(body, Flat.of(plain(body), 2)) == found


@pytest.mark.parametrize(
    ("text", "levels", "outline"),
    [
        (b"[]", 0, b'""'),
        (b'[[1],[[2]],{"a":{}}]', 1, b'[".","...","......"]'),
        (b'[["]","\\""],3]', 1, b'["........",3]'),
        (b"[[[[1]]]]", 3, b'[[["."]]]'),
        (b'{"a":[{}]}', 2, b'{"a":[""]}'),
        (b"[[[", 1, b"[[["),
        (b"]]", 1, b"]]"),
        (b'["[[', 0, b'["[['),
    ],
)
def test_what_is_deeper_becomes_a_string_of_its_length(text, levels, outline) -> None:
    assert Flat.of(text, levels) == outline
    assert len(outline) == len(text)
