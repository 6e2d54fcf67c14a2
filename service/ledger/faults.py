"""What of the schema is not as the road needs it: for /readyz, `notify doctor` and `migrate`."""

from collections.abc import Iterator
from dataclasses import dataclass

from service.doctor.finding import Finding

REDO = "run notify migrate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is missing, switched off or out of reach.

    `remedy` None: migrate makes it anew. `stops`: rows are refused, lost, or not sent as they were
    meant; otherwise it is slower, or less is guarded.
    """

    fault: str
    remedy: str | None
    stops: bool

    def __str__(self) -> str:
        return f"{self.fault}: {self.remedy or REDO}"


def schema_findings(faults: list[Fault], strangers: list[str]) -> Iterator[Finding]:
    """Judge what of the schema is there, and what else is in it."""
    for fault in faults:
        yield Finding("schema", fault.fault, fault.remedy or REDO)
    for name in strangers:
        if name.startswith("notify."):
            yield Finding(
                "schema", f"{name} is not ours, and yoyo rollback stops at it",
                f"move it: alter table {name} set schema public",
            )  # fmt: skip
