"""A header line: what is given is what every reader gets."""

import email
import email.policy
import re
from email.header import decode_header, make_header

import fast_mail_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.channels.email import CONTROL_BUT_TAB, HEADER_NAME
from service.channels.header import PROSE, header, sender_header
from service.text.addresses import sender

NAMES = ["Subject", "X-A", "X-" + "a" * 74, "List-Unsubscribe", "References", "Keywords"]
URL = "<https://example.org/unsubscribe?" + "x" * 130 + ">"
GERMAN = (
    "Rechnung für Müller & Söhne \u2013 Zahlungserinnerung über die überfälligen Beträge für März "
    "und Übersicht"
)

characters = st.characters(exclude_categories=["Cs"]).filter(lambda c: not CONTROL_BUT_TAB.match(c))
texts = (
    st.text(characters, max_size=300)
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=998)
    | st.lists(
        st.sampled_from(
            ["=?", "?=", "=?utf-8?q?a=0D=0ABcc:_x@y.z?=", "=?utf-8?b?////?=", " ", "  ", "\t", "=",
             '"', "\\", "(", "<", ",", "a" * 80, "Ü" * 40, "😀", "\u0301", "\xa0", "\u3000", "a"]
        ),
        max_size=20,
    ).map("".join)
).map(lambda text: text[:998])  # fmt: skip


def carried(name, text):
    """Return what every reader gets: outside prose, blanks and tabs part words, and no more."""
    return text if PROSE.fullmatch(name) else " ".join(filter(None, re.split("[ \t]", text)))


def read_by_python(name, line):
    return str(email.message_from_bytes(line + b"\r\n", policy=email.policy.default)[name])


def read_by_old_python(name, line):
    message = email.message_from_bytes(line + b"\r\n", policy=email.policy.compat32)
    return str(make_header(decode_header(message[name]))) if message[name] else ""


def read_by_rust(name, line):
    [text] = fast_mail_parser.parse_email(line + b"\r\n").headers[name]
    return text


@given(st.sampled_from(NAMES), texts)
def test_any_text_is_read_back_by_two_parsers(name, text):
    line = header(name, text)
    assert read_by_python(name, line) == read_by_rust(name, line) == carried(name, text)


@given(st.sampled_from(NAMES), texts)
def test_any_text_is_lines_in_ascii_and_words_within_75(name, text):
    line = header(name, text)
    first, *more = line.decode("ascii").removesuffix("\r\n").split("\r\n")
    assert first.startswith(f"{name}:")
    assert all(each.startswith(" ") and each.strip() for each in more)
    assert max(map(len, [first, *more])) <= 998
    if not text.isascii() or ("=?" in text and name == "Subject"):
        words = line[len(name) + 1 :].split()
        assert all(word.startswith(b"=?utf-8?b?") and len(word) <= 75 for word in words)
        assert all(len(each) <= 76 for each in more)


@pytest.mark.parametrize("text", [GERMAN, "=?utf-8?q?x?=", " a ", "a  b", "a\tb", "\t", " ", ""])
@pytest.mark.parametrize("read", [read_by_python, read_by_old_python, read_by_rust])
def test_what_was_lost_before_arrives(text, read):
    assert read("Subject", header("Subject", text)) == text


@pytest.mark.parametrize("name", ["List-Unsubscribe", "References", "X-Url"])
def test_a_long_token_of_ascii_is_never_cut_or_encoded(name):
    assert header(name, URL) == f"{name}: {URL}\r\n".encode()
    assert header(name, f"{URL} {URL}") == f"{name}: {URL}\r\n {URL}\r\n".encode()


@pytest.mark.parametrize(
    "text", ["<a@x>\t<b@y>", " <a@x>  <b@y>", "<a@x> \t <b@y>\t", "<a@x> <b@y> "]
)
@pytest.mark.parametrize("name", ["References", "In-Reply-To", "Precedence", "List-Post"])
def test_blanks_and_tabs_bring_no_encoded_words_into_a_grammar(name, text):
    assert header(name, text) == f"{name}: <a@x> <b@y>\r\n".encode()
    assert b"=?utf-8?b?" in header("X-A", text)


def test_words_between_tabs_are_folded_as_between_blanks():
    references = [f"<{n}.{'x' * 30}@mail.example.org>" for n in range(17)]
    line = header("References", "\t".join(references))
    assert line == header("References", " ".join(references))
    assert line.split() == [b"References:", *map(str.encode, references)]
    assert max(map(len, line.split(b"\r\n"))) <= 76


@pytest.mark.parametrize("text", ["", " ", "\t", " \t "])
def test_a_grammar_of_nothing_is_empty(text):
    assert header("References", text) == b"References: \r\n"


def test_ascii_is_folded_at_blanks_only():
    text = " ".join(["token"] * 100)
    line = header("Subject", text)
    assert line.replace(b"\r\n", b"") == b"Subject: " + text.encode()
    assert max(map(len, line.split(b"\r\n"))) <= 76


def test_a_url_that_holds_what_begins_a_word_can_still_be_followed():
    url = "<https://example.org/u?a=?b>"
    assert header("List-Unsubscribe", url) == f"List-Unsubscribe: {url}\r\n".encode()
    assert b"=?utf-8?b?" in header("Subject", url)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", range(900, 999, 7))
def test_a_token_fits_up_to_998(name, size):
    line = header(name, "x" * size)
    # Behind `Name:` alone comes a blank, which counts only where people read.
    found = read_by_rust(name, line)
    assert (found if PROSE.fullmatch(name) else found.lstrip()) == "x" * size
    assert max(map(len, line.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("name", NAMES)
def test_a_token_beyond_998_is_refused(name):
    with pytest.raises(ValueError, match=rf"^{name}: 999 characters"):
        header(name, "a " + "x" * 999)


def test_a_character_is_never_cut():
    line = header("Subject", "ß😀" * 100)
    for word in line.split()[1:]:
        [(data, charset)] = decode_header(word.decode())
        data.decode(charset)


@pytest.mark.parametrize(
    "text",
    ["Käse <ops@bücher.example>", '"Müller, A." <a@faß.de>', "=?utf-8?q?x?= <a@example.org>",
     '"a \\"b\\" \\\\ (c)" <a@example.org>', "Acme Inc. <a@example.org>",
     '"  a  " <a@b.c>', "<a@b.c>"],
)  # fmt: skip
def test_a_sender_is_read_back(text):
    given = sender(text)
    line = sender_header("From", given)
    [found] = email.message_from_bytes(line, policy=email.policy.default)["From"].addresses
    assert (found.display_name, found.addr_spec) == (given.name, given.address.written)
    assert line.isascii()
    assert max(map(len, line.split(b"\r\n"))) <= 76 or given.name.isascii()


def test_a_long_name_is_several_words():
    line = sender_header("From", sender("ü" * 128 + " <a@b.c>"))
    assert fast_mail_parser.parse_email(line).headers["From"] == ["ü" * 128 + " <a@b.c>"]
    assert max(map(len, line.split(b"\r\n"))) <= 76


def test_every_name_a_client_may_set_is_a_token_of_ascii():
    assert all(HEADER_NAME.fullmatch(name) for name in NAMES[1:])
