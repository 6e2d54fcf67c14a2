"""One header of a mail, from text to lines (RFC 5322, 2047). Pure.

A client's text is never parsed: it is written so that every reader gets exactly it back, but for
blanks and tabs outside prose, where they part words and nothing else.
"""

import re
from binascii import b2a_base64
from collections.abc import Iterator

from service.text.addresses import Sender

LINE_CHARS = 76  # RFC 2047 section 2; without encoded words RFC 5322 recommends 78
LINE_MAX_CHARS = 998  # RFC 5322 section 2.1.1, without CRLF
TOKEN_MAX_CHARS = 998  # a longer word, which must not be cut, fits on no line

WORD_START, WORD_END = b"=?utf-8?b?", b"?="  # the letters of base64 are allowed in any header
NEXT_WORD = WORD_END + b"\r\n " + WORD_START
WORD_MAX_BYTES = 45  # of UTF-8: 60 letters, a word of 72
WORD_MIN_BYTES = 12  # of the first word, if the header's name leaves no room for more

PLAIN = re.compile(r"[!-~]+(?: [!-~]+)*")  # printable ASCII, single blanks within
ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
WORD = re.compile(r"[^ \t]+")
ENCODED_WORD = re.compile(r"=\?.*\?=")  # wider than RFC 2047, as readers are

# All other headers have a grammar (RFC 2369, 5322), where no program reads encoded words (RFC 2047
# section 5): a tab or a double blank must not bring any in, and a URL that holds `=?` and is no
# encoded word stays as it is, or nobody could follow it.
PROSE = re.compile(r"X-.*|Subject|Comments|Keywords|Organization", re.IGNORECASE)


def header(name: str, text: str) -> bytes:
    """Write one header, CRLF included. Raises ValueError for an ASCII token beyond 998."""
    if not PROSE.fullmatch(name):
        text = " ".join(WORD.findall(text))
    if text and not is_plain(name, text):
        return encoded(name, text) + b"\r\n"
    return folded(f"{name}: {text}") + b"\r\n"


def address_header(name: str, written: str) -> bytes:
    """Write one header that is one address."""
    return f"{name}: {written}\r\n".encode()


def sender_header(name: str, sender: Sender) -> bytes:
    """Write one header that is one address, behind its display name if it has one."""
    if not sender.name:
        return address_header(name, sender.address.written)
    angle = f"<{sender.address.written}>"
    if sender.name.isascii() and "=?" not in sender.name:
        return address_header(name, f"{phrase(sender.name)} {angle}")
    return encoded(name, sender.name) + f"\r\n {angle}\r\n".encode()


def phrase(text: str) -> str:
    """Spell a display name in ASCII: as atoms, or between quotes."""
    if ATOMS.fullmatch(text):
        return text
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def is_plain(name: str, text: str) -> bool:
    """Return whether `text` may stand as it is. Raises ValueError for an ASCII token beyond 998."""
    if not PLAIN.fullmatch(text):
        return False
    tokens = text.split(" ")
    longest = max(map(len, tokens))
    if longest > TOKEN_MAX_CHARS:
        raise ValueError(f"{name}: {longest} characters without a blank do not fit on a line.")
    if PROSE.fullmatch(name):  # some readers take a break after `Name:` for a blank
        return "=?" not in text and len(name) + 1 + longest < LINE_MAX_CHARS
    return longest < LINE_MAX_CHARS and not ENCODED_WORD.search(text)


def folded(line: str) -> bytes:
    """Break `Name: text` at blanks, and nowhere else."""
    lines, start, room = [], 0, LINE_CHARS
    # The first token stays beside the name if it can: some readers stop at an empty `Name:`.
    at_least = line.index(" ") + 1
    while len(line) - start > room:
        cut = line.rfind(" ", start + at_least, start + room + 1)
        if cut < 0:
            cut = line.find(" ", start + at_least)
        if cut < 0:
            break
        lines.append(line[start:cut])
        start, at_least = cut, 1
    lines.append(line[start:])
    if len(lines[0]) > LINE_MAX_CHARS:
        lines[:1] = lines[0].replace(": ", ":\r\n ", 1).split("\r\n")
    return "\r\n".join(lines).encode("ascii")


def encoded(name: str, text: str) -> bytes:
    """Write encoded words, one a line; the line breaks between them are no part of the text."""
    start = f"{name}: ".encode("ascii")
    room = (LINE_CHARS - len(start) - len(WORD_START) - len(WORD_END)) // 4 * 3
    words = [
        b2a_base64(piece, newline=False)
        for piece in pieces(text, max(WORD_MIN_BYTES, min(room, WORD_MAX_BYTES)))
    ]
    return start + WORD_START + NEXT_WORD.join(words) + WORD_END


def pieces(text: str, first_max: int) -> Iterator[bytes]:
    """Cut UTF-8 into pieces of one encoded word each, never within a character."""
    data, start, room = text.encode(), 0, first_max
    while start < len(data):
        end = start + room
        while end < len(data) and data[end] & 0xC0 == 0x80:  # this byte continues a character
            end -= 1
        yield data[start:end]
        start, room = end, WORD_MAX_BYTES
