"""Find valid JSON that cannot be stored as jsonb, or that would become very long there.

A quick search in the bytes says whether there may be any; only then is the body parsed.
"""

import gc
import json
import math
import re
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate

import msgspec

from service.api.stored_size import EXPONENT_MAX, FRACTION_MAX, SHAPE, STRING, is_too_large
from service.http.problems import Fault
from service.limits import DIGITS_MAX, NESTING_MAX, PAYLOAD_BYTES_MAX
from service.text.checks import escaped

WALKED_BYTES_MAX = 16 * 1024  # takes 5 ms; faults in larger bodies get no pointer

LARGE_EXPONENT = re.compile(
    rb"[0-9][eE](?:-0*(?:40[1-9]|4[1-9][0-9]|[5-9][0-9]{2})|[+-]?0*[1-9][0-9]{3})"
)
SHAPES_OF_LARGE_EXPONENTS = (b"0e0000", b"0e+0000", b"0e-000")
SHAPE_OF_LONG_FRACTION = b"." + b"0" * (FRACTION_MAX + 1)
PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
HALF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")
NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))
STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # one level down, one level up
SURROGATE = re.compile("[\ud800-\udfff]")
ADVICE = {
    "nul_character": "Remove U+0000: PostgreSQL cannot store it.",
    "lone_surrogate": "Send both halves of the pair, or UTF-8.",
    "number_out_of_range": "Send a smaller one, or a string.",
}

decode_any = msgspec.json.Decoder().decode


def unstorable(body: bytes, payload: msgspec.Raw) -> list[Fault]:
    """Return what PostgreSQL would refuse, or write out too long, in `body` (valid JSON)."""
    if body.count(b"[") + body.count(b"{") > NESTING_MAX and nesting(body) > NESTING_MAX + 1:
        return [too_deep()]
    if len(body) <= WALKED_BYTES_MAX:
        code = fault_of(body, payload)
    else:
        with uncollected():
            code = fault_of(body, payload)
    return [] if code is None else explained(body, code)


def fault_of(body: bytes, payload: msgspec.Raw) -> str | None:
    """Return the code of the first fault, or None."""
    if is_too_large(payload):
        return "payload_too_large"
    return bad_character(body) or bad_number(body, payload)


def explained(body: bytes, code: str) -> list[Fault]:
    """Return the faults with their pointers, or one without if finding them would take long."""
    if code == "payload_too_large":
        return [too_large()]
    return (walk(body) if len(body) <= WALKED_BYTES_MAX else []) or [fault(code, "")]


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the garbage collector: it would visit the 87,000 lists of a payload 120 times.

    That was four fifths of the time. Decoded JSON has no cycles.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def bad_character(body: bytes) -> str | None:
    """Return the code of a character that PostgreSQL does not take, if a string has one."""
    if b"\\u" in body:
        body = body.replace(rb"\\", b"")
        if rb"\u0000" in body:
            return "nul_character"
        if HALF_A_PAIR.search(PAIR.sub(b"", body)):
            return "lone_surrogate"
    return None


def bad_number(body: bytes, payload: msgspec.Raw) -> str | None:
    """Return the code of a number that PostgreSQL does not take, or writes out too long, if any."""
    is_large = has_large_number(body) and has_large_number(STRING.sub(b"", body))
    return "number_out_of_range" if is_large or not in_range(payload) else None


def has_large_number(body: bytes) -> bool:
    """Return whether something looks like a large number, within a string or not.

    The shape is tried first: among digits the regular expression takes ten times as long.
    """
    shape = body.translate(SHAPE)
    if b"0e" in shape and any(large in shape for large in SHAPES_OF_LARGE_EXPONENTS):
        return LARGE_EXPONENT.search(body) is not None or SHAPE_OF_LONG_FRACTION in shape
    return len(body) > FRACTION_MAX and SHAPE_OF_LONG_FRACTION in shape


def in_range(payload: msgspec.Raw) -> bool:
    """Return whether every number of the payload fits a double or a long integer."""
    try:
        decode_any(payload)
    except msgspec.ValidationError:
        return False
    return True


def nesting(body: bytes) -> int:
    """Count the levels of arrays and objects, the body's own included."""
    return max(accumulate(array("b", STRING.sub(b"", body).translate(STEPS, NO_BRACKETS))))


def too_deep(pointer: str = "/payload") -> Fault:
    """Return the fault of too many levels."""
    return Fault("too_deeply_nested", f"Keep to {NESTING_MAX} levels.", pointer)


def walk(body: bytes) -> list[Fault]:
    """Check every string and number. Raises ValueError if `body` is not JSON."""
    tree = json.loads(
        body,
        parse_int=Number,
        parse_float=Number,
        parse_constant=refuse_constant,
        object_pairs_hook=Members,
    )
    faults: list[Fault] = []
    look(tree, "", faults)
    return faults


class Number(str):
    """A number as it was written."""

    __slots__ = ()


class Members(list[tuple[str, object]]):
    """An object with all its pairs: PostgreSQL also reads those that a later pair replaces."""

    __slots__ = ()


def refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python takes for JSON."""
    raise ValueError(f"{name} is not JSON")


def look(value: object, pointer: str, faults: list[Fault]) -> None:
    """Add the faults of one value and of all within it."""
    if isinstance(value, Number):
        if not is_storable(value):
            faults.append(fault("number_out_of_range", pointer))
    elif isinstance(value, str):
        look_at_text(value, pointer, faults)
    elif isinstance(value, Members):
        for name, member in value:
            at = f"{pointer}/{shown(escaped(name))}"
            look_at_text(name, at, faults)
            look(member, at, faults)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            look(item, f"{pointer}/{place}", faults)


def look_at_text(text: str, pointer: str, faults: list[Fault]) -> None:
    """Add the fault of one string or member name, if it has one."""
    if "\0" in text:
        faults.append(fault("nul_character", pointer))
    elif not text.isascii() and SURROGATE.search(text):
        faults.append(fault("lone_surrogate", pointer))


def fault(code: str, pointer: str) -> Fault:
    """Make the fault of this code at this place."""
    return Fault(code, ADVICE[code], pointer)


def is_storable(number: Number) -> bool:
    """Return whether a number stays within a double's range, and short when written out."""
    mantissa, _, exponent = number.lower().partition("e")
    fraction = mantissa.partition(".")[2]
    if not exponent and not fraction:
        return len(mantissa) <= DIGITS_MAX
    digits = exponent.lstrip("+-").lstrip("0")
    return (
        len(digits) <= 3
        and (int(digits or 0) <= EXPONENT_MAX or exponent[0] != "-")
        and len(fraction) <= FRACTION_MAX
        and math.isfinite(float(number))
    )


def shown(name: str) -> str:
    """Replace what UTF-8 cannot write in a member's name, for the answer."""
    return SURROGATE.sub("\ufffd", name)


def too_large() -> Fault:
    """Return the fault of a payload that is too large once it is stored."""
    sentence = f"Keep it under {PAYLOAD_BYTES_MAX} bytes as PostgreSQL writes it."
    return Fault("payload_too_large", sentence, "/payload")
