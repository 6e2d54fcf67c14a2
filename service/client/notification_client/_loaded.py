"""JSON whose payload may be more than json reads: SQL takes any number of digits, and more levels.

What became of such a notification can be told all the same.
"""

import json
import re
from decimal import Decimal
from typing import Any

LEVELS_MAX = 64  # as over HTTP; only where json does not read the whole
ESCAPED = re.compile(rb"\\.", re.DOTALL)
BRACKET = re.compile(rb'"[^"]*"?|[\[{]|[\]}]')


def loaded(body: bytes) -> Any:
    """Read an answer. Raises ValueError or RecursionError.

    A whole number that has too many digits for an int is a Decimal; a payload that has too many
    levels is left out.
    """
    try:
        return parsed(body)
    except RecursionError:
        document = parsed(flat(body))
    if isinstance(document, dict):
        document.pop("payload", None)
    return document


def parsed(body: bytes) -> Any:
    """Read JSON, slower if there is a number that has too many digits."""
    try:
        return json.loads(body)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return json.loads(body, parse_int=whole)


def whole(digits: str) -> int | Decimal:
    """Read a whole number (sys.set_int_max_str_digits says how long an int may be)."""
    try:
        return int(digits)
    except ValueError:
        return Decimal(digits)


def flat(body: bytes) -> bytes:
    """Replace each value below LEVELS_MAX levels by null."""
    parts, level, end = [], 0, 0
    for token in BRACKET.finditer(ESCAPED.sub(b"..", body)):
        if token[0] in b"[{":
            level += 1
            if level == LEVELS_MAX + 1:
                parts.append(body[end : token.start()])
        elif token[0] in b"]}":
            if level == LEVELS_MAX + 1:
                parts.append(b"null")
                end = token.end()
            level -= 1
    return b"".join([*parts, body[end:]])
