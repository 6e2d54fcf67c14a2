"""What the schema lacks, and what in it is not ours."""

from collections.abc import Iterator

from service.doctor.finding import Finding
from service.ledger.doctor_store import DoctorStore
from service.ledger.faults import REDO, Fault


async def whole_findings(store: DoctorStore) -> Iterator[Finding]:
    """Say what the schema lacks, and what in it is not ours."""
    return schema_findings(await store.faults(), await store.strangers())


def schema_findings(faults: list[Fault], strangers: list[str]) -> Iterator[Finding]:
    """Make a finding of each fault, and of each table in our schema that is not ours."""
    for fault in faults:
        yield Finding("schema", fault.fault, fault.remedy or REDO)
    for name in strangers:
        if name.startswith("notify."):
            yield Finding(
                "schema", f"{name} is not ours, and yoyo rollback stops at it",
                f"move it: alter table {name} set schema public",
            )  # fmt: skip
