"""How many bytes a payload has as stored: jsonb adds blanks, and writes exponents out."""

import re
from collections import Counter
from decimal import Decimal

import msgspec

from service.limits import PAYLOAD_BYTES_MAX

EXPONENT_MAX = 400  # beyond every double, written out
FRACTION_MAX = 16383 - EXPONENT_MAX  # digits: numeric's scale, with any exponent
GROWTH_MAX = 58  # `1e-400,` becomes `0.00…1, `: nothing grows more
SHAPE = bytes.maketrans(b"123456789E", b"000000000e")
STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def is_too_large(payload: msgspec.Raw) -> bool:
    """Return whether accept() would find the payload too large; costs nothing up to 4 KB."""
    raw = bytes(payload)
    if len(raw) * GROWTH_MAX <= PAYLOAD_BYTES_MAX:
        return False
    blanks = raw.count(b",") + raw.count(b":")
    grows = has_exponent(raw) and has_exponent(STRING.sub(b"", raw))
    if len(raw) + blanks <= PAYLOAD_BYTES_MAX and not grows:
        return False
    return stored_bytes(raw) > PAYLOAD_BYTES_MAX


def has_exponent(body: bytes) -> bool:
    """Return whether something looks like an exponent, within a string or not."""
    return b"0e" in body.translate(SHAPE)


def stored_bytes(payload: bytes) -> int:
    """Count the bytes of payload::jsonb::text, exactly up to PAYLOAD_BYTES_MAX."""
    size = written_bytes(payload)
    if size > PAYLOAD_BYTES_MAX and payload.count(b":") > 1:  # some members may be replaced
        size = written_bytes(kept_members(payload))
    return size


def kept_members(payload: bytes) -> bytes:
    """Leave out members that a later member of the same name replaces; numbers stay as written."""
    decoder = msgspec.json.Decoder(float_hook=lambda number: msgspec.Raw(number.encode()))
    return msgspec.json.encode(decoder.decode(payload))


def written_bytes(payload: bytes) -> int:
    """Count as stored_bytes(), but with the numbers of replaced members too if they are many."""
    numbers: list[str] = []
    value = msgspec.json.Decoder(float_hook=numbers.append).decode(payload)
    numbers_bytes = 0
    texts: dict[str, msgspec.Raw] = {}
    for number, count in Counter(numbers).items():  # `1e0` may come 65,000 times
        text = written_out(number)
        texts[number] = msgspec.Raw(text)
        numbers_bytes += count * len(text)
        if numbers_bytes > PAYLOAD_BYTES_MAX:
            return numbers_bytes
    if texts:
        value = msgspec.json.Decoder(float_hook=texts.__getitem__).decode(payload)
    spaced = msgspec.json.format(msgspec.json.encode(value), indent=0)  # blanks after , and :
    return len(spaced)


def written_out(number: str) -> str:
    """Write a number with a point or an exponent as PostgreSQL's numeric does."""
    if number[0] != "-" and "e" not in number and "E" not in number:
        return number
    try:
        exact = Decimal(number)
    except ArithmeticError:  # an exponent of 19 digits
        return "0"
    if abs(exact.adjusted()) > 2 * FRACTION_MAX:  # refused later, as out of range
        return "0"
    return format(exact if exact else abs(exact), "f")
