"""What may be sent where."""

import subprocess
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.channels.email import EmailPayload
from service.channels.webhook import http_url
from service.text.addresses import mailbox


@pytest.mark.parametrize(
    "url",
    [
        "http://a",
        "https://example.com/hook?x=1#y",
        "HTTP://EXAMPLE.COM/",
        "http://my_service:8080/a",
        "http://[::1]:3080/a",
        "https://user:p%40ss@example.com/",
        "http://xn--mnchen-3ya.de/%C3%A4",
        "http://a/[x]{y}|z^`",
    ],
)
def test_this_is_an_http_url(url: str) -> None:
    assert http_url(url) == url


@pytest.mark.parametrize(
    "text",
    [
        "", "http://", "http:///x", "//a/b", "/hook", "a.b/c", "ftp://a", "javascript:alert(1)",
        "http://a b", " http://a", "http://a\n", "http://a/\r\nHost: b", "http://a/\0",
        "http://a\\b", "http://a/\\b", "http://münchen.de", "http://a/ä", "http://[zz]/",
        "http://[:::]/", "http://a:0/", "http://a:65536/", "http://a:x/", "http://a:/",
        "http://a@b@c/", "http://a/" + "x" * 2048,
        "http://a..b/", "http://./", "http://" + "x" * 64, "http://u%00@a/",
    ],
)  # fmt: skip
def test_this_is_no_http_url(text: str) -> None:
    with pytest.raises(ValueError, match=r"^Give an? "):
        http_url(text)


@given(st.from_regex(r"(?:[a.-]|x{60,66}){1,5}", fullmatch=True))
def test_a_url_names_no_host_that_getaddrinfo_cannot_be_asked_for(host: str) -> None:
    try:
        host.encode("idna")  # as getaddrinfo does first
    except UnicodeError:
        with pytest.raises(ValueError, match="1 to 63 characters"):
            http_url(f"http://{host}/")
    else:
        assert http_url(f"http://{host}/")


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("me@example.com", "me@example.com"),
        ("Me+tag@EXAMPLE.com", "Me+tag@example.com"),
        ("ü@exämple.org", "ü@exämple.org"),
        ("me@ex\u00c4mple\u3002org", "me@exämple.org"),
        ("ü@XN--exmple-cua.org", "ü@xn--exmple-cua.org"),
        ("ops@localhost", "ops@localhost"),
        ("ops@mail.local", "ops@mail.local"),
        ("x@example.test", "x@example.test"),
    ],
)
def test_this_is_a_mailbox(text: str, normalized: str) -> None:
    assert mailbox(text) == normalized


@pytest.mark.parametrize(
    "text",
    ["", "@", "me", "me@", "@b.com", "a@b..c", "a@b.com,c@d.com", "A <a@b.com>", "a@b.com\n",
     "a@b.com\r\nBcc: c@d.com", "a\0@b.com", "a b@c.com", "a@[127.0.0.1]", "a@b.invalid"],
)  # fmt: skip
def test_this_is_no_mailbox(text: str) -> None:
    with pytest.raises(ValueError, match=r"^Give one address as name@domain\. ."):
        mailbox(text)


def faults(**fields: Any) -> list[str]:
    """Say where a payload is wrong."""
    payload = msgspec.convert({"subject": "s", "text": "t"} | fields, EmailPayload)
    return [pointer for pointer, _ in payload.faults()]


def test_a_mail_may_have_text_html_or_both() -> None:
    assert faults() == faults(html="<p>") == faults(text=None, html="<p>") == []
    assert faults(text=None) == [""]


@pytest.mark.parametrize("break_", ["\r", "\n", "\0", "\v", "\x1b", "\x7f", "\x85", "\u2028"])
def test_no_header_may_hold_a_line_break_or_control_character(break_: str) -> None:
    text = f"a{break_}Bcc: b@c.com"
    assert faults(subject=text, reply_to=text, headers={"X-A": text}) == [
        "/subject", "/reply_to", "/headers/X-A"]  # fmt: skip


def test_a_tab_travels_encoded() -> None:
    assert faults(subject="a\tb", headers={"X-A": "a\tb"}) == []
    assert faults(reply_to="a\tb@c.example") == ["/reply_to"]


def test_each_header_comes_once_in_capitals_or_not() -> None:
    assert faults(headers={"X-A": "1", "X-B": "2", "x-a": "3", "x-B": "4"}) == [
        "/headers/x-a", "/headers/x-B"]  # fmt: skip


def test_a_body_may_hold_line_breaks() -> None:
    assert faults(text="a\r\nb\tc", html="<p>\n</p>") == []


@pytest.mark.parametrize(
    "name",
    ["From", "to", "CC", "Bcc", "Sender", "Reply-To", "Return-Path", "Message-ID", "Subject",
     "Date", "DKIM-Signature", "Received", "Content-Type", "MIME-Version", "Authentication-Results",
     "X-", "X-A:", "X-Ä", "", "X-" + "a" * 75],
)  # fmt: skip
def test_a_sender_may_not_set(name: str) -> None:
    assert faults(headers={name: "a"}) == [f"/headers/{name}"]


@pytest.mark.parametrize(
    "name", ["X-Tag", "x-tag", "List-Unsubscribe", "Auto-Submitted", "precedence", "References"]
)
def test_a_sender_may_set(name: str) -> None:
    assert faults(headers={name: "a"}) == []


def test_headers_are_bounded() -> None:
    assert faults(headers={f"X-{n}": "a" for n in range(51)}) == ["/headers"]
    assert faults(subject="x" * 999, headers={"X-A": "x" * 999}) == ["/subject", "/headers/X-A"]


def test_the_checks_load_no_resolver() -> None:
    code = "import sys, service.channels.table; sys.exit('dns' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
