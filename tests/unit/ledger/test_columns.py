"""Which columns are read of a row: those of its dataclass, each within its limit."""

from dataclasses import dataclass
from datetime import datetime

from service.ledger.columns import columns


@dataclass
class Row:
    """One of each kind of column."""

    id: int
    name: str | None
    at: datetime
    until: datetime | None
    payload: object


def test_columns_are_the_fields_each_within_its_limit():
    assert columns(Row, {"name": 9}, without=("payload",)) == (
        "id, left(name::text, 9) as name, notify.readable(at) as at,"
        " notify.readable(until) as until"
    )
