"""Who leads, who holds the doorbell's lock, and whether a bell can be heard."""

import time

from service.doctor.finding import Finding, judged
from service.errors import NotifyError
from service.ledger.connection import BELL, LEAD, connect
from service.ledger.db import translated
from service.ledger.doctor_store import DoctorStore
from service.model.server import LockHolder

LISTEN_WAIT_S = 2.0
QUEUE_FULL = "54000"  # program_limit_exceeded; the text is in the server's language
NOT_PERMITTED = "42501"  # insufficient_privilege
COUNTS_MISSED, COUNTED_WITHIN_S = 3, 15.0  # then a leader does not work


async def lead_finding(store: DoctorStore, interval_s: float) -> Finding:
    """Return whether a dispatcher leads and works, or who holds the leader's lock instead.

    `interval_s`: after which a leader that works counts again.
    """
    holder = await store.lock_holder(LEAD)
    if holder is None:
        return Finding(
            "dispatcher", "none leads",
            "start one: notify dispatcher. Until then workers look for themselves, once a second",
        )  # fmt: skip
    if holder.is_ours:
        age_s = await store.figures_age_s()
        if age_s is None or age_s <= max(COUNTS_MISSED * interval_s, COUNTED_WITHIN_S):
            return Finding("dispatcher", "leading")
        return Finding(
            "dispatcher", f"leading, but it has counted nothing for {age_s:.0f} s",
            f"{holder}, hangs, is stopped, or one of its jobs fails: its log says which; if it logs"
            " nothing, end it and start one: notify dispatcher",
        )  # fmt: skip
    return Finding(
        "dispatcher", f"none leads: its lock is held by {holder}",
        f"no dispatcher of ours: {end_of(holder)}. Until then workers look for themselves",
    )  # fmt: skip


async def doorbell_finding(store: DoctorStore) -> Finding:
    """Return whether a stranger keeps the dispatcher from sleeping."""
    holder = await store.lock_holder(BELL)
    if holder is None or holder.is_ours:
        return Finding("doorbell", "free" if holder is None else "armed")
    return Finding(
        "doorbell", f"its lock is held by {holder}",
        f"no dispatcher of ours: {end_of(holder)}. Until then the dispatcher looks again and again",
    )  # fmt: skip


def end_of(holder: LockHolder) -> str:
    """Say how an operator ends the session or prepared transaction."""
    if holder.pid is None:
        return "roll it back"
    return f"select pg_terminate_backend({holder.pid}), and see what it is"


async def listen_finding(url: str) -> Finding:
    """Ring a bell for ourselves, which a transaction pooler would swallow."""
    advice = "LISTEN does not work there: give DATABASE_DIRECT_URL, past the pooler"
    try:
        listener = await connect(url, "notify-doctor")
        try:
            with translated():
                await listener.execute("listen notify_doctor")
                started = time.monotonic()
                await listener.execute("select pg_notify('notify_doctor', '')")
                rings = [n async for n in listener.notifies(timeout=LISTEN_WAIT_S, stop_after=1)]
        finally:
            await listener.close()
    except NotifyError as error:
        sqlstate = getattr(error.__cause__, "sqlstate", None)
        if sqlstate == QUEUE_FULL:
            advice = "it is full: see the line of the NOTIFY queue"
        elif sqlstate == NOT_PERMITTED:
            advice = (
                "no bell rings: grant execute on function pg_notify(text, text) to public."
                " Until then who waits looks once a second"
            )
        return Finding("LISTEN", str(error), advice)
    took_ms = (time.monotonic() - started) * 1000
    return judged("LISTEN", f"{took_ms:.1f} ms" if rings else "silent", bool(rings), advice)
