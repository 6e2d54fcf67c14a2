"""What the text of an option must be: each function returns its value, or says what is wrong."""

import argparse
from datetime import timedelta
from math import isfinite


def filled(text: str) -> str:
    """Take any text that is not empty: an empty shell variable must not mean the default."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return text


def port_number(text: str) -> int:
    """Parse a port; 0 means any free one."""
    if not text.isascii() or not text.isdigit() or int(text[:6]) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to 65535")
    return int(text)


def whole(text: str) -> int:
    """Parse a number of rows, at least 1."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:10]) <= 1_000_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def integer(text: str) -> int:
    """Parse a whole number. The API checks its range."""
    try:
        return int(text[:20])
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def finite(text: str) -> float:
    """Parse a number, without infinity and NaN."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def span(text: str) -> timedelta:
    """Parse a length of time: 30m, 24h, 90d; 0 is none."""
    number, unit = text[:-1], {"s": 1, "m": 60, "h": 3600, "d": 86400}.get(text[-1:])
    if text == "0":
        return timedelta(0)
    if unit is None or not number.isascii() or not number.isdigit() or len(number) > 6:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 30m, 24h or 90d")
    return min(timedelta(seconds=int(number) * unit), timedelta(days=36500))


def seconds(text: str) -> float:
    """Parse a time to wait, in seconds."""
    value = finite(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is less than nothing")
    return value
