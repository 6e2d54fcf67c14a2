"""The one spelling of every address that we write: SMTP's envelope, To, From, Reply-To.

RFC 5321 and 5322 for the local part, IDNA 2008 for the domain, as email-validator does both:
`faß.de` is xn--fa-hia.de, not fass.de. Pure; nothing is looked up.
"""

import re
import unicodedata
from dataclasses import dataclass

import idna
from email_validator import validate_email

ADDRESS_MAX_CHARS = 254  # RFC 5321 section 4.5.3.1.3; the library counts bytes, after this
DISPLAY_NAME_MAX_CHARS = 128

# `ops@localhost` and `ops@mail.local` are real on a private network: the SMTP server knows whether
# they exist. The library refuses these names by a list that can be changed for the whole process
# only, so it is shown an ordinary name of the same length in their place.
PRIVATE_DOMAINS = ("localhost", "local", "test")
LABEL_END = re.compile("[@.\u3002\uff0e\uff61]")  # the other three are dots, too, says UTS 46

UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}  # controls, halves of pairs, line and paragraph separators
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
QUOTED_PAIR = re.compile(r"\\(.)")
SPECIALS = re.compile(r'[()<>\[\]:;@\\,"]')  # RFC 5322 section 3.2.3; a dot does no harm


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One mailbox. `written`: as it goes out, its domain in ASCII; `shown`: as people read it."""

    written: str
    shown: str

    @property
    def domain(self) -> str:
        """Return the domain in ASCII."""
        return self.written.rpartition("@")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Whom mail comes from. `name`: the display name as text, or nothing."""

    name: str
    address: Address


def address(text: str) -> Address:
    """Parse one address such as `name@domain`. Raises ValueError, fit for the client."""
    if len(text) > ADDRESS_MAX_CHARS:
        raise ValueError(
            f"Give one address as name@domain. It has more than {ADDRESS_MAX_CHARS} characters."
        )
    # Allowed by RFC 5322; readers that decode a header before they parse it see another address.
    if "=?" in text:
        raise ValueError("Give one address as name@domain. It must not hold =?.")
    name, shown_to_library = without_private(text)
    try:
        parts = validate_email(
            shown_to_library, check_deliverability=False, globally_deliverable=False
        )
    except ValueError as error:
        raise ValueError(f"Give one address as name@domain. {error}") from None
    written = f"{parts.local_part}@{parts.ascii_domain}"
    return Address(written=restored(written, name), shown=restored(parts.normalized, name))


def spellings(recipient: str) -> list[str]:
    """Give the recipient as it is, and, of a mail address, both spellings of its domain."""
    try:
        parsed = address(recipient)
    except ValueError:
        return [recipient]
    return list(dict.fromkeys([recipient, parsed.shown, parsed.written]))


def without_private(text: str) -> tuple[str, str]:
    """Return the private name that an address ends with, or "", and the address without it.

    In place of the name stand as many letters. A closing bracket behind it stays: what is wrong
    with `Ops <ops@localhost>` is the display name.
    """
    bare = text.rstrip("> ")
    label = LABEL_END.split(bare)[-1]
    try:
        name = idna.uts46_remap(label, std3_rules=False, transitional=False)
    except idna.IDNAError:
        name = ""
    if name not in PRIVATE_DOMAINS:
        return "", text
    before = bare[: len(bare) - len(label)]
    return name, f"{before}{stand_in(name)}{text[len(bare) :]}"


def stand_in(name: str) -> str:
    """Return what is shown to the library in place of a private name."""
    return "x" * len(name)


def restored(address: str, name: str) -> str:
    """Put a private name back to where its stand-in is."""
    return address.removesuffix(stand_in(name)) + name


def mailbox(text: str) -> str:
    """Return the normalized form of one address. Raises ValueError.

    Its domain is in ASCII if it was, so that PostgreSQL knows its destination, else as people read
    it.
    """
    parsed = address(text)
    return parsed.written if text.rpartition("@")[2].isascii() else parsed.shown


def sender(text: str) -> Sender:
    """Parse `name@domain`, `Name <name@domain>` or `"Name" <name@domain>`. Raises ValueError."""
    if not text.endswith(">"):
        return Sender(name="", address=address(text))
    name, bracket, inner = text[:-1].rpartition("<")
    if not bracket:
        raise ValueError("Give one address as name@domain. There is no < to its >.")
    return Sender(name=display_name(name.strip(" ")), address=address(inner))


def display_name(text: str) -> str:
    """Return the text of a display name, without its quotes. Raises ValueError."""
    if len(text) > DISPLAY_NAME_MAX_CHARS:
        raise ValueError(f"Give a name of at most {DISPLAY_NAME_MAX_CHARS} characters.")
    if not UNPRINTABLE.isdisjoint(map(unicodedata.category, text)):
        raise ValueError("Leave out control characters.")
    if quoted := QUOTED.fullmatch(text):
        return QUOTED_PAIR.sub(r"\1", quoted[1])
    if SPECIALS.search(text):
        raise ValueError('Put a name that holds one of ()<>[]:;@\\," into double quotes.')
    return text
