"""From the options of a command to the fields of a request; `fields` maps one to the other."""

import argparse
from collections.abc import Mapping
from typing import Any


def entered(args: argparse.Namespace, fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the options that were typed, by the names of their fields."""
    values = {field: getattr(args, option) for option, field in fields.items()}
    return {field: value for field, value in values.items() if value is not None}


def spelled(fields: Mapping[str, str], parent: str = "") -> dict[str, str]:
    """Return how each field is typed, by its JSON pointer: `{"/send_at": "--send-at"}`."""
    return {
        f"{parent}/{field}": "--" + option.replace("_", "-") for option, field in fields.items()
    }
