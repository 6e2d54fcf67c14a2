"""The one printer of text that somebody else wrote: a terminal obeys none of it.

Escaped is what Unicode calls Other (control and format characters, which turn the direction of
writing or take no room, lone surrogates, private and unassigned ones) or a separator but the blank.
"""

import json


def printable(text: str) -> str:
    """Write it on one line, with escapes such as \\x1b and \\u202e for what is not to be seen."""
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else ascii(c)[1:-1] for c in text])


def printable_json(document: object) -> str:
    """Write JSON for people and for jq: indented, with JSON's own escapes for the same."""
    return printable_lines(json.dumps(document, indent=2, ensure_ascii=False))


def printable_lines(text: str) -> str:
    """Escape within lines of JSON: but for their ends only its strings can hold such characters."""
    return "\n".join([line if line.isprintable() else escaped(line) for line in text.split("\n")])


def escaped(line: str) -> str:
    """Write JSON's own escapes."""
    return "".join([c if c.isprintable() else json.dumps(c)[1:-1] for c in line])
