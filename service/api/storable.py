"""Find what is valid JSON and yet cannot be stored as jsonb, or not without growing beyond measure.

A fast look at the bytes says whether there may be anything; only then is the body walked.
"""

import json
import math
import re
from array import array
from itertools import accumulate

import msgspec

from service.api.problems import Fault
from service.checks import escaped

NESTING_MAX = 64
EXPONENT_MAX = 400  # beyond every double, written out
DIGITS_MAX = 4300  # Python reads no longer integers, nor do many others

LARGE_EXPONENT = re.compile(rb"[0-9][eE][+-]?[0-9]{3}")
STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))
STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # one level down, one level up
SURROGATE = re.compile("[\ud800-\udfff]")

decode_any = msgspec.json.Decoder().decode


def unstorable(body: bytes, payload: msgspec.Raw) -> list[Fault]:
    """Return what in `body` (valid JSON) PostgreSQL would refuse or blow up."""
    if body.count(b"[") + body.count(b"{") > NESTING_MAX and nesting(body) > NESTING_MAX + 1:
        return [too_deep()]
    if b"\\u" in body or LARGE_EXPONENT.search(body) or not in_range(payload):
        return walk(body)
    return []


def in_range(payload: msgspec.Raw) -> bool:
    """Tell whether every number of the payload fits a double or a long integer."""
    try:
        decode_any(payload)
    except msgspec.ValidationError:
        return False
    return True


def nesting(body: bytes) -> int:
    """Count the levels of arrays and objects, the body's own included."""
    return max(accumulate(array("b", STRING.sub(b"", body).translate(STEPS, NO_BRACKETS))))


def too_deep(pointer: str = "/payload") -> Fault:
    """Say that what is there is nested too deeply."""
    return Fault("too_deeply_nested", f"Keep to {NESTING_MAX} levels.", pointer)


def walk(body: bytes) -> list[Fault]:
    """Look at every string and number. Raises ValueError if `body` is not JSON."""
    tree = json.loads(body, parse_int=Number, parse_float=Number, parse_constant=refuse_constant)
    found: list[Fault] = []
    look(tree, "", found)
    return found


class Number(str):
    """A number as it was written."""

    __slots__ = ()


def refuse_constant(name: str) -> None:
    """Refuse what only Python takes for JSON."""
    raise ValueError(f"{name} is not JSON")


def look(value: object, pointer: str, found: list[Fault]) -> None:
    """Walk down one value."""
    if isinstance(value, Number):
        if not is_storable(value):
            found.append(Fault("number_out_of_range", "Send a smaller one, or a string.", pointer))
    elif isinstance(value, str):
        look_at_text(value, pointer, found)
    elif isinstance(value, dict):
        for name, member in value.items():
            at = f"{pointer}/{shown(escaped(name))}"
            look_at_text(name, at, found)
            look(member, at, found)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            look(item, f"{pointer}/{place}", found)


def look_at_text(text: str, pointer: str, found: list[Fault]) -> None:
    """Look at one string or member name."""
    if "\0" in text:
        found.append(Fault("nul_character", "Remove U+0000: PostgreSQL cannot store it.", pointer))
    elif not text.isascii() and SURROGATE.search(text):
        found.append(Fault("lone_surrogate", "Send both halves of the pair, or UTF-8.", pointer))


def is_storable(number: Number) -> bool:
    """Tell whether a number stays within a double's range, and short when written out."""
    mantissa, _, exponent = number.lower().partition("e")
    if not exponent:
        return len(mantissa) <= DIGITS_MAX or "." in mantissa
    digits = exponent.lstrip("+-").lstrip("0")
    return len(digits) <= 3 and int(digits or 0) <= EXPONENT_MAX and math.isfinite(float(number))


def shown(name: str) -> str:
    """Make a member's name fit for an answer, which must be UTF-8."""
    return SURROGATE.sub("\ufffd", name)
