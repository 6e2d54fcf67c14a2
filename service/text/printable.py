"""Escape text that somebody else wrote, so that a terminal obeys none of it.

Escapes replace what Unicode calls Other (control characters, format characters, which may turn the
direction of writing or be invisible, lone surrogates, private and unassigned ones), and every
separator except the space.
"""

import json


def printable(text: str) -> str:
    """Write it on one line, with escapes such as \\x1b and \\u202e for such characters."""
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else ascii(c)[1:-1] for c in text])


def printable_json(document: object) -> str:
    """Write JSON for people and for jq: indented, with JSON's own escapes for them."""
    return printable_lines(json.dumps(document, indent=2, ensure_ascii=False))


def printable_lines(text: str) -> str:
    """Escape within each line of JSON: apart from line ends, only strings hold such characters."""
    return "\n".join([line if line.isprintable() else escaped(line) for line in text.split("\n")])


def escaped(line: str) -> str:
    """Write JSON's own escapes."""
    return "".join([c if c.isprintable() else json.dumps(c)[1:-1] for c in line])
