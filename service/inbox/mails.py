"""A mail that arrived, whatever it is: its subject and its two bodies."""

from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser

DECODED_MAX = 20_000  # characters of a header: 80,000 encoded words took 26 s


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What people read of a mail. None: it has none."""

    subject: str | None
    text: str | None
    html: str | None


def read_mail(source: bytes) -> Mail:
    """Read the subject, the first plain text and the first HTML of a mail."""
    try:
        return shown(message_from_bytes(source))
    except RecursionError:  # bodies within bodies within bodies
        return shown(BytesHeaderParser().parsebytes(source))


def shown(mail: "Message[str, str]") -> Mail:
    """Give what people read of a mail that was parsed."""
    return Mail(
        subject=decoded(mail, "Subject"),
        text=part(mail, "text/plain"),
        html=part(mail, "text/html"),
    )


def part(mail: "Message[str, str]", kind: str) -> str | None:
    """Read the first body of a kind; lines end in a line feed."""
    for found in mail.walk():
        if found.get_content_type() == kind and found.get_content_disposition() != "attachment":
            content = found.get_payload(decode=True)
            if isinstance(content, bytes):
                return content_text(content, str(found.get_content_charset() or "utf-8"))
    return None


def content_text(content: bytes, charset: str) -> str:
    """Decode a body, whatever it calls its encoding."""
    try:
        text = content.decode(charset, "backslashreplace")
    except (LookupError, ValueError):
        text = content.decode(errors="backslashreplace")
    lines = encodable(text).replace("\r\n", "\n")
    return lines.removesuffix("\n")  # which the last line of every mail has


def decoded(mail: "Message[str, str]", name: str) -> str | None:
    """Read a header; if its encoding is wrong, or it is longer than any of ours, as it stands."""
    raw = mail.get(name)
    if raw is None:
        return None
    return encodable(str(raw)) if len(str(raw)) > DECODED_MAX else decoded_text(raw)


def decoded_text(raw: str) -> str:
    """Decode the text of a header; if its encoding is wrong, give it as it stands."""
    try:
        text = str(make_header(decode_header(raw)))
    except (MessageError, LookupError, ValueError):
        text = str(raw)
    return encodable(text)


def encodable(text: str) -> str:
    """Spell out what is no Unicode: a header may hold any bytes."""
    return text.encode(errors="backslashreplace").decode()
