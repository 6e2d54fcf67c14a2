"""From the bytes of a body to the struct that is its type, or to all that is wrong with it."""

from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Meta

from service.api.storable import WALKED_BYTES_MAX, bad_character, fault, too_deep, walk
from service.http.problem_kinds import KINDS
from service.http.problems import Fault, Problem, invalid
from service.text.checks import escaped

Timestamp = Annotated[datetime, Meta(tz=True)]
Kind = TypeVar("Kind", bound=msgspec.Struct)


class Body(Generic[Kind]):
    """How bodies of one type are read. `open_at`: a pointer to the field that takes any JSON."""

    def __init__(self, kind: type[Kind], *, open_at: str = "") -> None:
        self._kind = kind
        self._open_at = open_at
        self._decode = msgspec.json.Decoder(kind).decode

    def read(self, body: bytes, check: Callable[[Kind], tuple[Kind, list[Fault]]]) -> Kind:
        """Decode a body and return what `check` makes of it. Raises Problem.

        `check` finds what types cannot, and changes nothing.
        """
        if not body:
            raise Problem("empty_body")
        try:
            if not body.isascii():
                body.decode()
            value, faults = check(self._parse(body))
        except UnicodeDecodeError as error:
            raise Problem("invalid_encoding", f"Byte {error.start} is not UTF-8.") from None
        except RecursionError:
            raise invalid([too_deep(self._open_at)]) from None
        if faults:
            raise invalid(faults)
        return value

    def _parse(self, body: bytes) -> Kind:
        """Decode a body, and explain it when that fails."""
        try:
            return self._decode(body)
        except msgspec.DecodeError as error:
            mistyped, reason = isinstance(error, msgspec.ValidationError), str(error)
        try:
            faults = list(member_faults(body, self._kind, "")) if mistyped else broken(body)
        except ValueError as error:
            raise no_json(body, error) from None
        raise invalid(faults) if faults else no_json(body, reason)


def no_json(body: bytes, reason: object) -> Problem:
    """Say why a body is no JSON; editors do not show the mark that some of them write."""
    if body.startswith(BOM_UTF8):
        reason = "Leave out the byte order mark (EF BB BF) at the beginning"
    return Problem("invalid_json", f"{reason}.")


def broken(body: bytes) -> list[Fault]:
    """Explain what is no JSON, or has characters that are none. Raises ValueError."""
    if len(body) <= WALKED_BYTES_MAX:
        return walk(body)
    code = bad_character(body)
    return [fault(code, "")] if code else []


def member_faults(data: bytes | msgspec.Raw, kind: type, pointer: str) -> Iterator[Fault]:
    """Compare an object with a struct, member by member. Raises DecodeError if it is not JSON."""
    try:
        members = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        yield Fault(code_at(pointer), "Send a JSON object.", pointer)
        return
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        at = f"{pointer}/{field.name}"
        if field.name in members:
            yield from value_faults(members.pop(field.name), hints[field.name], at)
        elif field.required:
            yield Fault("missing_field", f"Add {field.name}.", at)
    for name in members:
        yield Fault("unknown_field", "There is no such field.", f"{pointer}/{escaped(name)}")


def value_faults(value: msgspec.Raw, hint: Any, pointer: str) -> Iterator[Fault]:
    """Compare one member with its type."""
    try:
        msgspec.json.decode(value, type=hint)
    except msgspec.ValidationError as error:
        kind = struct_in(hint)
        if kind is not None:
            yield from member_faults(value, kind, pointer)
        else:
            yield Fault(code_at(pointer), description(hint) or f"{error}.", pointer)


def code_at(pointer: str) -> str:
    """Return the code of a wrong value: its field's own, or the one of all fields without."""
    if pointer == "":
        return "not_an_object"
    if pointer.startswith("/payload/"):
        return "invalid_payload"
    code = f"invalid_{pointer.rpartition('/')[2]}"
    return code if code in KINDS else "invalid_field"


def struct_in(hint: Any) -> type | None:
    """Return the struct that a type is, or may be."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    return next(filter(None, map(struct_in, get_args(hint))), None)


def description(hint: Any) -> str:
    """Return what the field's type says about it, or nothing."""
    notes = getattr(hint, "__metadata__", ())
    return next((note.description for note in notes if isinstance(note, Meta)), "") or ""
