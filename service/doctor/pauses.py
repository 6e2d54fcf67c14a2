"""What is paused: no fault, but easily forgotten."""

from service.doctor.finding import Finding
from service.ledger.doctor_store import DoctorStore
from service.ledger.pause_store import WAITING_MAX, PauseStore
from service.model.pause import Pause

SHOWN_MAX = 10


async def pause_findings(store: DoctorStore) -> list[Finding]:
    """Name each pause, with how many wait; the newest ten, if there are more."""
    pauses = await PauseStore(store.pool.connection).list()
    if not pauses:
        return [Finding("pauses", "nothing is paused")]
    return [pause_finding(pause) for pause in pauses[:SHOWN_MAX]]


def pause_finding(pause: Pause) -> Finding:
    """Say since when something is paused, and what ends that."""
    found = (
        f"{pause.kind} {pause.name} since {pause.paused_at:%Y-%m-%d %H:%M}Z by {pause.paused_by},"
        f" with {count(pause.waiting)} waiting"
    )
    if pause.resumed_at is None:
        return Finding("pauses", found, f"when it may go on: notify resume {pause.id}")
    return Finding("pauses", f"{found}: resumed, and they come back")


def count(waiting: int | None) -> str:
    """Write how many wait; None: it was not counted."""
    if waiting is None:
        return "some"
    return f"{waiting:,}" if waiting < WAITING_MAX else f"{WAITING_MAX:,} or more"
