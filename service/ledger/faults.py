"""What of the schema is not as the road needs it: for /readyz, `notify doctor` and `migrate`."""

from dataclasses import dataclass

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
