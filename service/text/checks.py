"""What every text from outside is held to, whichever field it stands in.

Length comes first, everywhere: nothing is normalized, matched or parsed beyond its limit.
"""

import re
from ipaddress import IPv6Address

# U+2028 and U+2029 count as well: some readers break lines at them.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
WITHOUT_CONTROL = {"pattern": r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"}  # as JSON Schema


def is_ipv6(text: str) -> bool:
    """Return whether `text` is an IPv6 address."""
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def escaped(name: str) -> str:
    """Escape a member's name for a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
