"""A request as one would make it elsewhere: a line of curl, an INSERT, a call of the client.

What somebody typed is a literal in each of them, and nothing more: of the shell, of SQL with
standard_conforming_strings, which is PostgreSQL's default, and of Python.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from pprint import pformat
from shlex import quote
from typing import Any, Self

import msgspec

from service.api.body import NewNotification
from service.api.storable import nesting
from service.http.problems import Problem
from service.limits import NESTING_MAX

TABLE = "notify.notifications"
BYTES_MAX = 32 * 1024  # what is longer nobody pastes
LAYOUT_MAX = 20_000  # lines x columns of indentation: 25 ms at most
COLUMNS = NewNotification.__struct_fields__
TIMES = ("send_at", "expires_at")
ROUNDED = "# Python rounds a number here to a float; curl and SQL send all of its digits."
POSITIONS = ("channel", "recipient", "payload")


class Written(float):
    """A float that Python writes as the request does."""

    text: str

    def __new__(cls, text: str) -> Self:
        """Raises ValueError if no float holds it."""
        number = super().__new__(cls, text)
        if not isfinite(number):
            raise ValueError(text)
        number.text = text
        return number

    def __repr__(self) -> str:
        return self.text

    @property
    def is_exact(self) -> bool:
        """Return whether it is sent as the same number."""
        try:
            return Decimal(self.text) == Decimal(float.__repr__(self))
        except ArithmeticError:  # an exponent of 19 digits
            return False


decode_written = msgspec.json.Decoder(float_hook=Written).decode


@dataclass(frozen=True, slots=True)
class Preview:
    """One request, three times."""

    curl: str
    sql: str
    python: str


def previewed(body: bytes, url: str, *, has_keys: bool) -> Preview:
    """Write a body of POST /notify. `url`: of the service. Raises Problem: it is no JSON object.

    `has_keys`: a key is needed; it is taken from the environment. What is no field of a
    notification is left out of SQL and Python.
    """
    if len(body) > BYTES_MAX:
        raise Problem("body_too_large", "It is too long to be shown here.")
    try:
        if nesting(body) > NESTING_MAX + 1:
            raise Problem("too_deeply_nested")
        members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        values = decode_written(body)
        return Preview(
            curl_line(body.decode(), url, has_keys=has_keys),
            insert({name: members[name] for name in COLUMNS if name in members}),
            client_call({n: values[n] for n in COLUMNS if n in values}, url, has_keys=has_keys),
        )
    except (ValueError, RecursionError):  # of msgspec, of UTF-8, of a number without end
        raise Problem("invalid_json") from None


def curl_line(body: str, url: str, *, has_keys: bool) -> str:
    """Write it for a POSIX shell."""
    parts = [f"curl -s {quote(f'{url}/notify')}", "-H 'content-type: application/json'"]
    if has_keys:
        parts.append('-H "authorization: Bearer $NOTIFY_KEY"')
    return " \\\n  ".join([*parts, f"-d {quote(body)}"])


def insert(members: dict[str, msgspec.Raw]) -> str:
    """Write it for a role that may INSERT."""
    values = [sql_literal(name, raw) for name, raw in members.items()]
    names = ", ".join(members)
    return f"insert into {TABLE} ({names})\nvalues ({', '.join(values)});"


def sql_literal(name: str, raw: msgspec.Raw) -> str:
    """Write a value; one that is neither text nor number stands as JSON."""
    text = bytes(raw).decode()
    if name != "payload":
        value = msgspec.json.decode(raw)
        if value is None:
            return "null"
        if type(value) is int:
            return str(value)
        text = value if isinstance(value, str) else text
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def client_call(values: dict[str, Any], url: str, *, has_keys: bool) -> str:
    """Write it for the Python client; what takes much work to lay out, each value on one line."""
    write = laid_out if sum(map(layout_work, values.values())) <= LAYOUT_MAX else repr
    arguments = [argument(name, values.get(name), write) for name in POSITIONS]
    arguments += [
        f"{name}={argument(name, value, write)}"
        for name, value in values.items()
        if name not in POSITIONS and value is not None
    ]
    imports = ["from notification_client import Client"]
    if any(name in values for name in TIMES):
        imports.insert(0, "from datetime import datetime\n")
    if has_keys:
        imports.insert(0, "import os")
    key = ', os.environ["NOTIFY_KEY"]' if has_keys else ""
    inside = "".join(f"        {text},\n" for text in arguments)
    if any(map(is_rounded, values.values())):
        inside = f"        {ROUNDED}\n{inside}"
    return (
        "\n".join(imports)
        + f"\n\nwith Client({url!r}{key}) as client:\n    id = client.send(\n{inside}    )\n"
        + "    print(id)\n"
    )


def is_rounded(value: object) -> bool:
    """Return whether a number in it is sent as another one."""
    if isinstance(value, dict):
        return any(map(is_rounded, value.values()))
    if isinstance(value, list):
        return any(map(is_rounded, value))
    return isinstance(value, Written) and not value.is_exact


def argument(name: str, value: object, write: Callable[[object], str]) -> str:
    """Write a value as Python does."""
    if name in TIMES and isinstance(value, str):
        return f"datetime.fromisoformat({value!r})"
    return write(value)


def laid_out(value: object) -> str:
    """Write a value on as many lines as it takes."""
    return pformat(value, width=76, sort_dicts=False).replace("\n", "\n        ")


def layout_work(value: object) -> int:
    """Return how much laid_out() has to do at most: lines x columns of indentation.

    On each level pformat writes all of the rest anew, and it breaks between values, words and
    lines: 16,000 numbers below 60 levels took 0.7 s, 4,000 below a long name filled 32 MB.
    """
    written = repr(value)
    lines = written.count(" ") + written.count("\\") + 1
    return lines * max(1, indentation(value))


def indentation(value: object) -> int:
    """Return how far pformat indents what is deepest."""
    if isinstance(value, dict):
        return max((len(f"{{{name!r}: ") + indentation(v) for name, v in value.items()), default=0)
    if isinstance(value, list):
        return 1 + max(map(indentation, value), default=0)
    return 0
