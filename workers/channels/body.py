"""The body of a mail: text, HTML or both as alternatives, in 7-bit lines (RFC 2045, 2046). Pure.

No line begins with a dot, whatever the text: nothing depends on who doubles dots on the way.
"""

import re
from base64 import encodebytes

LINE_CHARS = 76  # RFC 2045 section 6.7 and 6.8
LINE_BREAK = re.compile("\r\n?|\n")
UNSAFE = re.compile(rb"[^\t -<>-~]|[\t ]\Z")  # within one line; `=` is the sign itself
SAFE = bytes({*range(32, 127), *b"\t\r\n"} - {*b"="})


def body(text: str | None, html: str | None, boundary: str) -> bytes:
    """Write the headers that describe the content, an empty line, and the content.

    `boundary` must begin with `=_`, which neither base64 nor quoted-printable can hold.
    """
    parts = [
        part(subtype, content)
        for subtype, content in (("plain", text), ("html", html))
        if content is not None
    ]
    if len(parts) == 1:
        return parts[0]
    opening = f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'.encode("ascii")
    mark = f"--{boundary}".encode("ascii")
    # The line break before a mark belongs to the mark, not to the part.
    return opening + b"".join(mark + b"\r\n" + each + b"\r\n" for each in parts) + mark + b"--\r\n"


def part(subtype: str, text: str) -> bytes:
    """Write one text, with its headers."""
    encoding, content = transfer_encoded(canonical(text).encode())
    return (
        f'Content-Type: text/{subtype}; charset="utf-8"\r\n'
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    ).encode("ascii") + content


def canonical(text: str) -> str:
    """End every line in CRLF, the last one too (RFC 2046 section 4.1.1)."""
    text = LINE_BREAK.sub("\r\n", text)
    return text if text.endswith("\r\n") else text + "\r\n"


def transfer_encoded(data: bytes) -> tuple[str, bytes]:
    """Choose what is shorter: an unsafe byte costs two more, or every three bytes one."""
    if len(data.translate(None, SAFE)) * 6 > len(data):
        return "base64", encodebytes(data).replace(b"\n", b"\r\n")
    return "quoted-printable", quoted_printable(data)


def quoted_printable(data: bytes) -> bytes:
    """Encode lines that end in CRLF."""
    return b"".join(map(quoted_line, data[:-2].split(b"\r\n")))


def quoted_line(line: bytes) -> bytes:
    """Encode one line: no blank at its end, no dot at a beginning, soft breaks within 76.

    Nor does one begin with `From `, which some mail stores change.
    """
    safe = UNSAFE.sub(lambda found: b"=%02X" % found[0][0], line)
    lines: list[bytes] = []
    start = 0
    while start < len(safe) or not lines:
        awkward = safe.startswith((b".", b"From "), start)
        end = start + LINE_CHARS - 2 * awkward
        if end < len(safe):
            end -= 1
            escape = safe.find(b"=", end - 2, end)
            end = escape if escape >= 0 else end
        piece = safe[start:end]
        lines.append(b"=%02X" % piece[0] + piece[1:] if awkward else piece)
        start = end
    return b"=\r\n".join(lines) + b"\r\n"
