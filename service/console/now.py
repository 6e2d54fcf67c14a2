"""The screen *Now*: the numbers that say whether one can sleep, and what is wrong.

It is read once for all viewers, by keys and from rows that others keep: no search, and no count but
of the first that wait for a pause.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from service.access.caller import Caller
from service.access.scopes import sees_all
from service.api.parts import Parts
from service.api.shared import Shared
from service.console.chart import chart
from service.console.destination_troubles import probe
from service.console.places import WAITING_MAX, name_of, path_of, pause, resume
from service.console.screen import Screen
from service.console.troubles import are_old, troubles
from service.doctor.finding import Finding
from service.doctor.glance import glance
from service.ledger.doctor_store import DoctorStore
from service.ledger.figure_store import FigureStore
from service.ledger.now_store import KEPT_BACK_MAX, Failure, NowStore, Standing
from service.ledger.pause_store import PauseStore
from service.model.figures import LivingWorker, Minute
from service.model.figures import Now as Figures
from service.model.notification import Sentence
from service.model.pause import Pause

KEEP_S = 3.0  # what is read counts so long
GLANCE_S = 20.0  # what the doctor's looks found counts so long,
GLANCE_WAIT_S = 0.5  # and a page waits so long for it
REFRESH_S = 5
FLOW_MINUTES = 15
PAUSES_MAX = 20  # that are shown, the newest
BOOKED_S = 20  # so far what ended may be behind: it is folded each 10 s
# What stands between a destination and what is for it, in words.
STATES = {
    "breaker": "does not answer",
    "pace": "takes less than it is offered",
    "url": "one URL of it asked for a pause, or refused all",
    "name": "its name takes long to look up",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one read of the ledger brought."""

    figures: Figures
    flow: Sequence[Minute]
    standing: Standing
    workers: Sequence[LivingWorker]
    pauses: Sequence[Pause]
    failures: Sequence[Failure]
    why_overdue: Sequence[Sentence]


class Now:
    """What happens at this moment."""

    def __init__(self, parts: Parts) -> None:
        self._settings = parts.settings
        self._reads = parts.reads
        self._look = Shared(self._read, KEEP_S)
        self._glance = Shared(self._findings, GLANCE_S)

    async def screen(self, request: web.Request, caller: Caller) -> Screen:
        """Show it. Whoever may not see all sees the numbers, and nothing that has a name."""
        look = await self._look.get()
        at, interval_s = look.figures.at, self._settings.gauges_interval_s
        shows: dict[str, Any] = {
            "refresh_s": REFRESH_S,
            "glance_s": round(GLANCE_S),
            "booked_s": BOOKED_S,
            "interval_s": interval_s,
            "figures": look.figures,
            "now_at": look.standing.now_at,
            "are_old": are_old(at, look.standing.now_at, interval_s),
            "chart": chart(look.flow),
            "troubles": [],
        }
        if sees_all(caller):
            findings = await self._glance.soon(GLANCE_WAIT_S)
            shows |= {
                "is_examined": findings is not None,
                "looks": len(findings or ()),
                "troubles": troubles(
                    look.standing,
                    at,
                    interval_s,
                    findings or (),
                    why_overdue=look.why_overdue,
                    pauses=look.pauses,
                ),
                "leader": look.standing.leader,
                "beat_at": look.standing.beat_at,
                "kept_back_max": KEPT_BACK_MAX,
                "kept_back": look.standing.kept_back,
                "pauses": look.pauses,
                "failures": look.failures,
                "workers": look.workers,
                "pauses_max": PAUSES_MAX,
                "waiting_max": WAITING_MAX,
                "states": STATES,
                "name_of": name_of,
                "path_of": path_of,
                "probe": probe,
                "pause": pause,
                "resume": resume,
            }
        return Screen(template="now.html", title="Now", shows=shows)

    async def _read(self) -> Look:
        figures, now = FigureStore(self._reads.pool.connection), NowStore.beside(self._reads)
        standing = await now.look()
        overdue = [row for row in standing.stuck if row.kind == "overdue"]
        first = min(overdue, key=lambda row: row.since, default=None)
        return Look(
            figures=await figures.now(),
            flow=await figures.flow(FLOW_MINUTES),
            standing=standing,
            workers=await figures.workers(),
            pauses=await PauseStore(self._reads.pool.connection).list(count_max=WAITING_MAX),
            failures=await now.failures(),
            why_overdue=[] if first is None else await self._reads.explain(first.id),
        )

    async def _findings(self) -> list[Finding]:
        return await glance(DoctorStore.beside(self._reads), self._settings)
