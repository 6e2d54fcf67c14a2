"""A fault of the schema: what is not as the road needs it, for /readyz, doctor and migrate."""

from dataclasses import dataclass

REDO = "run notify migrate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is missing, switched off or out of reach.

    `remedy` None: migrate makes it again. `stops` True: rows are refused, lost, or sent otherwise
    than they should be; False: the road is only slower, or less is guarded.
    """

    fault: str
    remedy: str | None
    stops: bool

    def __str__(self) -> str:
        return f"{self.fault}: {self.remedy or REDO}"
