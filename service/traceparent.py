"""Read a traceparent, the header that says which trace a request belongs to.

W3C Trace Context, https://www.w3.org/TR/trace-context-2: what is wrong is ignored, never an error.
"""

import re

# A version after 00 may say more behind a further dash. ff is none, and no id is all zeros.
SHAPE = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"
)
CHARS = 55
KNOWN_FLAGS = 0b11  # sampled, and random trace id; what has no meaning yet is passed on as zero


def read(text: str) -> str | None:
    """Return a traceparent as version 00 writes it; None: it is none, or of a shape unknown."""
    shape = SHAPE.match(text)
    if shape is None:
        return None
    version, trace, parent, flags = shape.groups()
    if len(text) > CHARS and (version == "00" or text[CHARS] != "-"):
        return None
    return f"00-{trace}-{parent}-{int(flags, 16) & KNOWN_FLAGS:02x}"


def trace_id(traceparent: str) -> str:
    """Return the id of the trace, for log lines."""
    return traceparent[3:35]
