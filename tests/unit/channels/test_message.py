"""The last look at a mail."""

from datetime import UTC, datetime

import pytest

from service.channels.message import check, date

NAMES = ["From", "Subject", "MIME-Version"]
GOOD = b"From: a@b.c\r\nSubject: a\r\n b\r\nMIME-Version: 1.0\r\n\r\ntext\r\n"


def test_a_mail_as_it_was_meant_passes():
    check(GOOD, NAMES)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"a\r\n b", b"a\r\nBcc: x@y.z"),
        (b"a\r\n b", b"a\nBcc: x@y.z"),
        (b"a\r\n b", b"a\rBcc: x@y.z"),
        (b"a\r\n b", b"a\r\n\r\nb"),
        (b"a\r\n b", b"a\r\nb"),
        (b"a\r\n b", b"a\r\n\tb\r\nSubject: c"),
        (b"a\r\n b", b"a\0b"),
        (b"a\r\n b", b"x" * 998),
        (b"text", b"x" * 999),
        (b"text", b"."),
        (b"text", b".text"),
        (b"text\r\n", b"text"),
        (b"text", b"a\nb"),
        (b"From", b"from"),
        (b"From: a@b.c\r\n", b""),
        (b"From", b"Sender: x@y.z\r\nFrom"),
        (b"From: a@b.c\r\nSubject: a\r\n b", b"Subject: a\r\nFrom: a@b.c"),
        (b"Subject", b"Subject "),
        (b"MIME", b"\xc3\xbc: a\r\nMIME"),
        (GOOD, b""),
        (b"\r\n\r\n", b"\r\n"),
    ],
)
def test_anything_else_does_not(old, new):
    with pytest.raises(ValueError, match=r"would|could"):
        check(GOOD.replace(old, new), NAMES)


def test_a_name_comes_once_even_if_it_was_meant_twice():
    with pytest.raises(ValueError, match="headers"):
        check(b"X-A: 1\r\nx-a: 2\r\n\r\n\r\n", ["X-A", "x-a"])


def test_a_time_is_spelled_in_english_whatever_the_locale():
    assert date(datetime(2026, 3, 1, 9, 5, 7, tzinfo=UTC)) == "Sun, 1 Mar 2026 09:05:07 +0000"
