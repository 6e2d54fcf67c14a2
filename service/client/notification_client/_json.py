"""JSON that arrives as it was written: what JSON has no word for is refused, with its place."""

import json
import math
import re
from typing import Any

LEVELS_MAX = 64  # of arrays and objects, as over HTTP; it also ends what contains itself
SURROGATE = re.compile("[\ud800-\udfff]")
ADVICE = {
    "datetime": "write value.isoformat()",
    "date": "write value.isoformat()",
    "Decimal": "write str(value), so that no digit is lost",
    "UUID": "write str(value)",
    "__proxy__": "write str(value)",  # Django's gettext_lazy
    "bytes": "write base64.b64encode(value).decode()",
}


def plain(value: Any, at: str = "", level: int = 0) -> Any:
    """Copy a payload into Python's own dicts, lists, texts and numbers.

    Raises TypeError or ValueError with a JSON pointer. A copy, because a subclass may say one thing
    when it is looked at and another when it is written.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(value, at)
    if isinstance(value, int):
        return whole(value, at)
    if isinstance(value, float):
        return number(value, at)
    if isinstance(value, (dict, list, tuple)) and level == LEVELS_MAX:
        raise ValueError(f"payload{at}: more than {LEVELS_MAX} levels")
    if isinstance(value, dict):
        return {
            name(key, at): plain(member, f"{at}/{key}", level + 1) for key, member in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{at}/{place}", level + 1) for place, item in enumerate(value)]
    kind = type(value).__name__
    raise TypeError(f"payload{at}: JSON has no {kind}{advice(kind)}")


def advice(kind: str) -> str:
    """Say what to write instead, if we know it."""
    return f"; {ADVICE[kind]}" if kind in ADVICE else ""


def name(key: Any, at: str) -> str:
    """Read a member's name. A number would become a text, and meet another of the same."""
    if not isinstance(key, str):
        raise TypeError(f"payload{at}: a name is a text, not {type(key).__name__}")
    return text(key, at)


def text(value: str, at: str) -> str:
    """Return the content of a text, also of one of a subclass."""
    content = str.__str__(value)
    if bad := bad_character(content):
        raise ValueError(f"payload{at}: a text contains {bad}, which PostgreSQL cannot store")
    return content


def whole(value: int, at: str) -> int:
    """Return a whole number that Python itself writes and reads again."""
    content = int.__int__(value)
    try:
        str(content)
    except ValueError:
        raise ValueError(f"payload{at}: a number has too many digits") from None
    return content


def number(value: float, at: str) -> float:
    """Return a number of a double."""
    content = float.__float__(value)
    if not math.isfinite(content):
        raise ValueError(f"payload{at}: JSON has no {content}; write None or a text")
    return content


def bad_character(content: str) -> str | None:
    """Name what PostgreSQL cannot store in a text, or return None."""
    if "\0" in content:
        return "U+0000"
    if not content.isascii() and SURROGATE.search(content):
        return "half of a surrogate pair"
    return None


def written(value: Any) -> str:
    """Write what plain() returned."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def written_in_ascii(value: Any) -> str:
    """Write it, all else as \\uXXXX: so it passes in whatever client_encoding a program has set."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
