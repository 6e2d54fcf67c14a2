"""Bodies in 7-bit lines that are read back as they were."""

import email
import email.policy
import re

import fast_mail_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.channels.body import body, quoted_printable

HEAD = b"MIME-Version: 1.0\r\n"
BOUNDARY = "=_01a202fe-4dde-77b7-a3d8-a0b97bfc4b61"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300) | st.lists(
    st.sampled_from(
        ["\r\n", "\n", "\r", ".", "..", "From ", "=", "=3D", "=2E", " ", "\t", "x" * 75, "ü" * 30,
         f"--{BOUNDARY}", f"--{BOUNDARY}--", "a", "=" * 40, "\f", "\x1a", "😀"]
    ),
    max_size=30,
).map("".join)  # fmt: skip


def lines_of(text):
    """End lines as a mail does."""
    text = re.sub("\r\n?|\n", "\n", text)
    return text if text.endswith("\n") else text + "\n"


def plain(text):
    return text.replace("\r\n", "\n")


def unmarked(text):
    """Leave out what the Rust parser takes for a byte order mark."""
    return plain(text).removeprefix("\ufeff")


@given(texts)
def test_any_text_is_read_back_by_two_parsers(text):
    made = HEAD + body(text, None, BOUNDARY)
    found = email.message_from_bytes(made, policy=email.policy.default)
    assert plain(found.get_content()) == lines_of(text)
    assert unmarked(fast_mail_parser.parse_email(made).text_plain[0]) == unmarked(lines_of(text))


@given(texts, texts)
def test_alternatives_are_two_parts_whatever_they_hold(text, html):
    made = HEAD + body(text, html, BOUNDARY)
    parts = list(email.message_from_bytes(made, policy=email.policy.default).iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert [plain(part.get_content()) for part in parts] == [lines_of(text), lines_of(html)]
    found = fast_mail_parser.parse_email(made)
    assert unmarked(found.text_plain[0]) == unmarked(lines_of(text))
    assert unmarked(found.text_html[0]) == unmarked(lines_of(html))


@given(texts, st.none() | texts)
def test_any_body_is_7_bit_lines_within_76_and_none_begins_with_a_dot(text, html):
    made = body(text, html, BOUNDARY)
    assert made.isascii()
    assert made.endswith(b"\r\n")
    assert made.count(b"\r") == made.count(b"\n") == made.count(b"\r\n")
    for line in made.split(b"\r\n"):
        assert len(line) <= 76 or line.startswith(b"Content-Type: multipart")
        assert not line.startswith((b".", b"From "))
        assert not line.endswith((b" ", b"\t"))


def test_text_that_people_can_read_stays_readable():
    made = body("Grüße aus Köln. Ihre Rechnung liegt bei.", None, BOUNDARY)
    assert b"Gr=C3=BC=C3=9Fe aus K=C3=B6ln. Ihre Rechnung liegt bei.\r\n" in made


def test_what_would_triple_is_base64():
    assert b"Content-Transfer-Encoding: base64\r\n" in body("こんにちは" * 9, None, BOUNDARY)


@pytest.mark.parametrize("text", ["x" * 262_144, "." * 262_144, "=" * 262_144, "\n" * 262_144])
def test_a_long_line_is_cut_softly(text):
    found = email.message_from_bytes(HEAD + body(text, None, BOUNDARY), policy=email.policy.default)
    assert plain(found.get_content()) == lines_of(text)


@pytest.mark.parametrize("size", range(70, 160))
def test_no_escape_is_cut(size):
    data = b"x" * (size % 7) + "ü".encode() * (size // 2) + b"\r\n"
    assert b"=\r\n" not in re.sub(rb"=[0-9A-F]{2}|=\r\n", b"", quoted_printable(data))
