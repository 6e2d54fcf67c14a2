"""The one spelling of an address."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.text.addresses import address, mailbox, sender


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
    assert mailbox(text) == found.shown
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
