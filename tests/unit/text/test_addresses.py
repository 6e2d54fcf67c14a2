"""The one spelling of an address."""

from collections.abc import Callable

import pytest
from email_validator import SPECIAL_USE_DOMAIN_NAMES
from hypothesis import example, given
from hypothesis import strategies as st

from service.text.addresses import address, mailbox, sender

Spell = Callable[[str], str]


def with_ignored(text: str) -> str:
    """Write a combining grapheme joiner behind the first letter: UTS 46 leaves it out."""
    return f"{text[0]}\u034f{text[1:]}"


def full_width(text: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) for letter in text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("anna@faß.de", "anna@xn--fa-hia.de"),
        ("anna@FASS.de", "anna@fass.de"),
        ("a@Bücher.Example", "a@xn--bcher-kva.example"),
        ("a@βόλος.example", "a@xn--nxasmm1c.example"),  # a final sigma, which IDNA 2003 changes
        ("a@bücher。example", "a@xn--bcher-kva.example"),
        ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        ("jörg@example.org", "jörg@example.org"),
    ],
)
def test_an_address_has_one_spelling(text: str, written: str) -> None:
    assert address(text).written == address(address(text).written).written == written


@pytest.mark.parametrize("name", ["localhost", "local", "test"])
@pytest.mark.parametrize(
    "spell",
    [str, str.upper, full_width, with_ignored],
    ids=["", "capitals", "full width", "ignored"],
)
@pytest.mark.parametrize("before", ["", "mail.", "b\u00fccher\u3002", "local.", "xn--4dbc."])
def test_a_private_domain_is_one_like_others(name: str, spell: Spell, before: str) -> None:
    ordinary = address(f"Ops@{before}example")
    expected = [text.removesuffix("example") + name for text in (ordinary.written, ordinary.shown)]
    private = address(f"Ops@{before}{spell(name)}")
    assert [private.written, private.shown] == expected


@pytest.mark.parametrize("name", ["localhost", "local", "test"])
def test_a_private_domain_is_held_to_every_other_rule(name: str) -> None:
    assert address("x" * (253 - len(name)) + f"@{name}")
    for text in (
        "x" * (254 - len(name)) + f"@{name}",
        f"ops@-a.{name}",
        f"@{name}",
        f"ops@.{name}",
    ):
        with pytest.raises(ValueError, match=r"^Give one address"):
            address(text)
    with pytest.raises(ValueError, match="display name"):
        address(f"Ops <ops@mail.{name}>")


def test_the_librarys_own_list_is_left_as_it_is() -> None:
    assert {"localhost", "local", "test"} <= set(SPECIAL_USE_DOMAIN_NAMES)


@given(
    st.builds("{}@{}".format, st.text(max_size=20), st.text(max_size=20))
    | st.emails()
    | st.from_regex(r"\A[\w.+=-]{1,12}@[\w-]{1,12}\.[\w-]{1,9}\Z")
)
@example("ü@exämple.org")
@example("anna@faß.de")
def test_what_is_stored_is_written_as_what_was_given_would_be(text: str) -> None:
    try:
        found = address(text)
    except ValueError:
        return
    assert address(found.shown) == address(found.written) == found
    assert mailbox(text) in {found.shown, found.written}
    assert mailbox(mailbox(text)) == mailbox(text)
    assert found.domain.isascii()
    assert not set('\r\n <>,;"()') & set(found.written)


@pytest.mark.parametrize(
    "text",
    ["=?utf-8?q?x?=@example.org", "=?x@example.org", "a@b_c.example", '"a b"@example.org',
     "a@-b.example", "a@xn--zzzzzz99999.example", "a" * 243 + "@example.org", "a@\u2028b.example",
     "ü" * 125 + "@example.org", "\ud800@example.org", "a@b.example>", "a@b.example <c@d.example>"],
)  # fmt: skip
def test_this_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"^Give one address as name@domain\. ."):
        address(text)


@pytest.mark.parametrize(
    ("text", "name", "written"),
    [
        ("ops@example.org", "", "ops@example.org"),
        ("<ops@example.org>", "", "ops@example.org"),
        ("Käse <ops@bücher.example>", "Käse", "ops@xn--bcher-kva.example"),
        ("Acme Inc. <ops@example.org>", "Acme Inc.", "ops@example.org"),
        ('"Müller, A. \\"x\\" <y>" <a@faß.de>', 'Müller, A. "x" <y>', "a@xn--fa-hia.de"),
        ("=?utf-8?q?x?= <a@example.org>", "=?utf-8?q?x?=", "a@example.org"),
    ],
)
def test_this_is_a_sender(text: str, name: str, written: str) -> None:
    assert (sender(text).name, sender(text).address.written) == (name, written)


@pytest.mark.parametrize(
    "text",
    ["", "Foo Bar", "Foo <a@example.org", "Foo a@example.org>", "a@b.example, c@d.example",
     "a@b.example, Foo <c@d.example>", "Foo <Bar> <a@b.example>", 'A "b <a@b.example>', "Foo <>",
     "A\r\nBcc: x@y.z <a@b.example>", "A\u2028 <a@b.example>", "x" * 129 + " <a@b.example>",
     "a@b.example (Foo)", "Foo: a@b.example;", "Foo <a@b.example> x"],
)  # fmt: skip
def test_this_is_no_sender(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        sender(text)
