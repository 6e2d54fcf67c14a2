"""JSON on several lines, for people."""

import re

import msgspec

INDENT_MAX_CHARS = 1024 * 1024  # that indenting may add
STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
BRACKET = re.compile(r"[\[\]{}]")


def indented(text: str) -> str | None:
    """Indent JSON, its numbers as they stand. None: that would be too long or too deep to read."""
    depth = deepest = 0
    for bracket in BRACKET.findall(STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    lines = text.count(",") + 2 * text.count("[") + 2 * text.count("{")
    if lines * 2 * deepest > INDENT_MAX_CHARS:
        return None
    try:
        return msgspec.json.format(text, indent=2)
    except RecursionError:
        return None
