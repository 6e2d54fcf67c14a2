"""The outline of JSON: as long as the original, without what keeps one value from being read.

So a decoder finds where each value begins and ends, and the original is cut at the same places.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice

TEXTS = bytes.maketrans(bytes(range(32)), b"." * 9 + b"  " + b".." + b" " + b"." * 18)
BRACKETS = re.compile(rb'"[^"]*"?|[\[{]+|[\]}]+')
TOKENS_MAX = 100  # at a time


def plain(json: bytes) -> bytes:
    """Return it without escapes, and without control characters in its strings.

    So only its structure counts: whether a string holds what JSON forbids is not looked at.
    """
    for escape in (rb"\\", rb"\""):
        json = json.replace(escape, b"..")
    return json.replace(b"\\", b".").translate(TEXTS)


class Flat:
    """JSON in which each value below so many levels becomes a string of its length."""

    def __init__(self, json: bytes, levels: int) -> None:
        self._outline = plain(json)
        self._deep = levels + 1
        self._level = 0
        self._begin = 0
        self.json = bytearray(json)

    @classmethod
    def of(cls, json: bytes, levels: int) -> bytes:
        """Return it at once, however long that takes."""
        flat = cls(json, levels)
        for tokens in flat.tokens():
            flat.follow(tokens)
        return bytes(flat.json)

    def tokens(self) -> Iterator[list[re.Match[bytes]]]:
        """Give the strings and brackets, some at a time."""
        tokens = BRACKETS.finditer(self._outline)
        return iter(lambda: list(islice(tokens, TOKENS_MAX)), [])

    def follow(self, tokens: Iterable[re.Match[bytes]]) -> None:
        """Go on by these."""
        for token in tokens:
            begin, end = token.span()
            if self._outline[begin] in b"[{":
                self._open(begin, end - begin)
            elif self._outline[begin] in b"]}":
                self._close(begin, end - begin)

    def _open(self, at: int, levels: int) -> None:
        if self._level < self._deep <= self._level + levels:
            self._begin = at + self._deep - self._level - 1
        self._level += levels

    def _close(self, at: int, levels: int) -> None:
        if self._level - levels < self._deep <= self._level:
            end = at + self._level - self._deep + 1
            self.json[self._begin : end] = b'"%b"' % (b"." * (end - self._begin - 2))
        self._level -= levels
