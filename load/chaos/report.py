"""The table at the end, and the promises that were broken."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from load.chaos.judge import Verdict
from load.chaos.processes import Stopped
from load.chaos.stand import GRACE_S, LEASE_S, REAPING_S, TIMES, Played

API_MAX_S = 5.0
FIRST_MAX_S = 10.0
ALL_MAX_S = FIRST_MAX_S + LEASE_S + REAPING_S  # what a killed worker had waits for the reaper
WAITING_CPU_MAX = 0.05
STOP_MAX_S = GRACE_S + 3.0  # what was cut off by the grace is settled within two more


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """From a fault's end to the first new one sent, and until all that was due then is sent."""

    name: str
    first_s: float | None  # None: none was sent that fell due after it
    all_s: float
    alone_s: float  # until the next fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run."""

    seed: int
    verdict: Verdict
    played: list[Played]
    stops: list[Stopped]

    @property
    def recoveries(self) -> list[Recovery]:
        """Give the recovery from each fault."""
        begins = [*(fault.began for fault in self.played[1:]), math.inf]
        return [
            recovery_from(fault, self.verdict, begins[place])
            for place, fault in enumerate(self.played)
        ]

    @property
    def broken(self) -> list[str]:
        """Name every broken promise."""
        return [*self.verdict.broken, *self.late]

    @property
    def late(self) -> Iterator[str]:
        """Name what took too long, or too much."""
        if self.verdict.slowest_api_s > API_MAX_S:
            yield f"the API took {self.verdict.slowest_api_s:.1f} s to answer"
        for recovery in self.recoveries:
            if recovery.alone_s > FIRST_MAX_S and (recovery.first_s or math.inf) > FIRST_MAX_S:
                yield f"nothing was delivered within {FIRST_MAX_S:g} s after {recovery.name}"
            if recovery.alone_s > ALL_MAX_S and recovery.all_s > ALL_MAX_S:
                yield f"something was delivered {recovery.all_s:.1f} s after {recovery.name}"
        for fault in self.played:
            if (fault.waiting_cpu or 0) > WAITING_CPU_MAX:
                yield f"a role used {fault.waiting_cpu:.0%} of a core during {fault.name}"
        for stop in self.stops:
            if stop.code != 0 or stop.took_s > STOP_MAX_S:
                yield f"{stop.name} took {stop.took_s:.1f} s to stop, with code {stop.code}"


def recovery_from(fault: Played, verdict: Verdict, next_began: float = math.inf) -> Recovery:
    """Measure the recovery from one fault."""
    new = [settled for first_due, settled in verdict.sent if first_due > fault.ended]
    old = [settled for first_due, settled in verdict.sent if first_due <= fault.ended < settled]
    return Recovery(
        name=fault.name,
        first_s=min(new) - fault.ended if new else None,
        all_s=max(old) - fault.ended if old else 0.0,
        alone_s=next_began - fault.ended,
    )


def table(report: Report) -> str:
    """Lay a run out."""
    verdict = report.verdict
    extra = sum(duplicate.extra for duplicate in verdict.duplicates)
    lines = [
        f"seed {report.seed}; " + ", ".join(f"{name}={value}" for name, value in TIMES.items()),
        "",
        *(
            row(result, verdict.offered[result], present(verdict, result))
            for result in ("accepted", "unknown", "refused")
        ),
        *(row(status, verdict.statuses[status]) for status in ("sent", "failed", "expired")),
        row("cancelled", verdict.statuses["cancelled"]),
        row("lost", len(verdict.lost), "must be 0"),
        row("sent, never arrived", len(verdict.never_arrived), "must be 0"),
        *(row(what, count, "must be 0") for what, count in verdict.invariants.items()),
        row("duplicates", extra, windows(verdict)),
        row("… unexplained", verdict.unexplained, "must be 0"),
        row(
            "slowest answer of an API", f"{verdict.slowest_api_s:.1f} s", f"at most {API_MAX_S:g} s"
        ),
        *(row("waiting for PostgreSQL", f"{cpu:.1%}", "of a core") for cpu in waits(report)),
        *(row(f"stop of {s.name}", f"{s.took_s:.1f} s", f"code {s.code}") for s in report.stops),
        "",
        f"{'fault':24}{'times':>6}{'first':>9}{'all':>9}   slowest, from its end",
        *faults(report),
        "",
        *(f"BROKEN: {promise}" for promise in report.broken),
    ]
    return "\n".join(lines) if report.broken else "\n".join([*lines, "every promise was kept"])


def row(name: str, figure: object, note: str = "") -> str:
    """Lay a line out."""
    return f"{name:40}{figure!s:>9}   {note}".rstrip()


def present(verdict: Verdict, result: str) -> str:
    """Say how many of these are in the ledger."""
    return f"{verdict.in_ledger[result]} of them in the ledger"


def windows(verdict: Verdict) -> str:
    """Say which outcomes admit the duplicates."""
    outcomes = Counter(
        attempt["outcome"]
        for duplicate in verdict.duplicates
        for attempt in duplicate.attempts
        if attempt["outcome"] in ("unknown", "lease_expired")
    )
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    return f"attempts of these: {counts}" if counts else ""


def waits(report: Report) -> list[float]:
    """Give the share of a core of the busiest role that could do nothing, if it was measured."""
    shares = [fault.waiting_cpu for fault in report.played if fault.waiting_cpu is not None]
    return [max(shares)] if shares else []


def faults(report: Report) -> list[str]:
    """Lay out the slowest recovery of each kind."""
    by_name: dict[str, list[Recovery]] = {}
    for recovery in report.recoveries:
        by_name.setdefault(recovery.name, []).append(recovery)
    return [
        f"{name:24}{len(recoveries):6}"
        f"{max(recovery.first_s or 0.0 for recovery in recoveries):7.1f} s"
        f"{max(recovery.all_s for recovery in recoveries):7.1f} s"
        for name, recoveries in sorted(by_name.items())
    ]


def as_json(report: Report) -> dict[str, Any]:
    """Give all there is, but the single times."""
    verdict = report.verdict
    return {
        "seed": report.seed,
        "broken": report.broken,
        "offered": verdict.offered,
        "in_ledger": verdict.in_ledger,
        "statuses": verdict.statuses,
        "lost": verdict.lost,
        "never_arrived": verdict.never_arrived,
        "invariants": verdict.invariants,
        "duplicates": [asdict(duplicate) for duplicate in verdict.duplicates],
        "slowest_api_s": verdict.slowest_api_s,
        "played": [asdict(fault) for fault in report.played],
        "recoveries": [asdict(recovery) for recovery in report.recoveries],
        "stops": [asdict(stop) for stop in report.stops],
    }
