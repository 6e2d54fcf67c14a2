"""The one printer of text that somebody else wrote."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.printable import printable, printable_json

# C0, DEL, C1, bidi, zero width, line and paragraph separators, BOM, tags, half a surrogate pair.
OBEYED = [
    *map(chr, range(0x20)), "\x7f", *map(chr, range(0x80, 0xA0)),
    "\u061c", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c",
    "\u202d", "\u202e", "\u2060", "\u2066", "\u2067", "\u2068", "\u2069", "\u2028", "\u2029",
    "\ufeff", "\ufff9", "\U000e0001", "\U000e0041", "\ud800", "\udfff", "\u00ad", "\u3000",
]  # fmt: skip


@pytest.mark.parametrize("character", OBEYED, ids=ascii)
def test_what_a_terminal_would_obey_is_written_as_an_escape(character):
    shown = printable(f"a{character}b")
    assert shown.isprintable()
    assert json.loads(printable_json({character: [character]})) == {character: [character]}
    assert character not in shown
    assert character == "\n" or character not in printable_json({"x": character})


@pytest.mark.parametrize("text", ["", "plain", "Grüße, 日本語, ελληνικά, עברית", "\U0001f600"])
def test_what_people_write_stays_as_it_is(text):
    assert printable(text) == text
    assert text in printable_json([text])


@given(st.text(st.characters(max_codepoint=sys.maxunicode, exclude_categories=())))
def test_whatever_it_is_it_fits_on_one_line_and_in_json(text):
    assert printable(text).isprintable()
    document = printable_json({"x": text})
    assert all(line.isprintable() for line in document.split("\n"))
    assert json.loads(document) == {"x": text}
