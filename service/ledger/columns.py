"""Which columns the API reads of a row, as SQL: those that its dataclass has as fields."""

from collections.abc import Collection, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

PAUSED = "'3000-01-01Z' and '3999-12-31Z'"  # a due_at of pauses: migrations/0020-pauses.sql


def columns(
    row: type[Any], characters_max: Mapping[str, int], *, without: Collection[str] = ()
) -> str:
    """List the columns that fill `row`, except `without`.

    Each is cut to what it may hold: a row from before these limits, or one that was changed by
    hand, must not make an answer of megabytes, or one that cannot be read.
    """
    return ", ".join(
        column(field.name, field.type, characters_max.get(field.name))
        for field in fields(row)
        if field.name not in without
    )


def column(name: str, kind: object, characters_max: int | None) -> str:
    """Write one column: a time within a client's calendar, a text no longer than its limit.

    A due_at that a pause has set says nothing to anybody: it is null.
    """
    if name == "due_at":
        return f"case when due_at not between {PAUSED} then notify.readable(due_at) end as due_at"
    if kind in (datetime, datetime | None):
        return f"notify.readable({name}) as {name}"
    return name if characters_max is None else f"left({name}::text, {characters_max}) as {name}"
