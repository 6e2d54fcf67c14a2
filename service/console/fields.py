"""The fields of a form, made from the types by which the API decodes and describes a body."""

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from service.api.body import NewNotification
from service.channels.declaration import Declaration

PLACED = ("channel", "recipient", "payload")  # which the form shows before the options


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input. `kind`: line, text (several lines), json or number.

    `pointer`: where its value stands in the body (a JSON pointer). `least`, `most`: of a number.
    """

    pointer: str
    label: str
    hint: str
    kind: str
    is_required: bool
    least: int | None
    most: int | None
    value: str = ""

    @property
    def name(self) -> str:
        """The pointer as a part of an element's id."""
        return self.pointer[1:].replace("/", "-")


def recipient_field(channel: Declaration, value: str) -> Field:
    """Make the field of a recipient, in the words of its channel."""
    field = fields_of(NewNotification, "")["recipient"]
    wanted = channel.words.get("recipient_in_advice", "any text")
    return replace(field, hint=f"Use {wanted}.", value=value)


def payload_fields(channel: Declaration) -> list[Field]:
    """Make the fields of a payload: one for each member, or a single one for any JSON."""
    example = channel.example["payload"]
    if channel.payload is None:
        field = fields_of(NewNotification, "")["payload"]
        meant = channel.words.get("payload", "kept, but not shown in the log line")
        return [replace(field, hint=f"Any JSON value: {meant}.", value=indented(example))]
    values = example if isinstance(example, dict) else {}
    fields = fields_of(channel.payload, "/payload")
    return [replace(field, value=values.get(name, "")) for name, field in fields.items()]


def option_fields() -> list[Field]:
    """Make the fields of what may be left out."""
    fields = fields_of(NewNotification, "")
    return [field for name, field in fields.items() if name not in PLACED]


def fields_of(kind: type[msgspec.Struct], above: str) -> dict[str, Field]:
    """Make a field of each member of a struct. `above`: the pointer to the struct."""
    schema = msgspec.json.schema(kind)["$defs"][kind.__name__]
    return {
        name: field_of(f"{above}/{name}", member, is_required=name in schema["required"])
        for name, member in schema["properties"].items()
    }


def field_of(pointer: str, member: dict[str, Any], *, is_required: bool) -> Field:
    """Make a field of a member's schema; null is the same as leaving it out."""
    for option in member.get("anyOf", ()):
        if option != {"type": "null"}:
            member = member | option
    return Field(
        pointer=pointer,
        label=label_of(pointer),
        hint=member.get("description") or hint_of(member),
        kind=kind_of(member),
        is_required=is_required,
        least=member.get("minimum"),
        most=member.get("maximum"),
    )


def kind_of(member: dict[str, Any]) -> str:
    """Choose an input: a text whose length has no limit of its own takes several lines."""
    match member:
        case {"type": "integer"}:
            return "number"
        case {"type": "string", "maxLength": _} | {"type": "string", "format": _}:
            return "line"
        case {"type": "string"}:
            return "text"
        case {"$ref": _}:
            return "line"
    return "json"


def label_of(pointer: str) -> str:
    """Write the name of a member as people read it."""
    name = pointer.rpartition("/")[2]
    return "HTML" if name == "html" else name.replace("_", " ").capitalize()


def hint_of(member: dict[str, Any]) -> str:
    """Say of a member without a description what its schema says."""
    if "maxLength" in member:
        return f"Up to {member['maxLength']} characters."
    return "A JSON object of texts." if member.get("type") == "object" else ""


def indented(value: object) -> str:
    """Write JSON on several lines."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
