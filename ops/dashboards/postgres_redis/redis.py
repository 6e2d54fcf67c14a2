"""Redis: the ready set."""

from ops.dashboards.board import line, row
from ops.dashboards.looks import (
    BLUE,
    GREEN,
    NO_FIGURES,
    NO_READY_SET,
    NOBODY_LEADS,
    PER_SECOND,
    RED,
    Looks,
)
from ops.dashboards.panels import lines, stat
from ops.dashboards.queries import prom, rate

ROW = row(
    "Redis: the ready set",
    line(
        7,
        stat(
            "Does Redis answer?",
            "To the leader. No: workers claim straight from PostgreSQL, slower, not "
            "stopped; nothing is lost. ops/RUNBOOK.md#redisdown",
            Looks(
                unit="short",
                empty=NOBODY_LEADS,
                steps=[(None, RED), (1, GREEN)],
                words={"0": ("No", RED), "1": ("Yes", GREEN)},
            ),
            prom("max(dispatcher_redis_up)"),
        ),
        lines(
            "Memory of Redis",
            "In use, and its limit (none drawn: no limit). The ready set needs a few MB, "
            "whatever the queue: more is somebody else's. ops/RUNBOOK.md#redismemoryhigh",
            Looks(
                unit="bytes",
                empty=NO_READY_SET,
                colours={"used": BLUE, "limit": RED},
            ),
            prom("max(dispatcher_redis_memory_bytes)", "used"),
            prom("max(dispatcher_redis_memory_max_bytes) > 0", "limit"),
        ),
        lines(
            "Ready set by priority",
            "Ids that wait for a claim; at most 10,000 each, filled again below 5,000.",
            Looks(unit="short", empty=NO_READY_SET),
            prom("max by (priority) (dispatcher_ready_set_depth)", "priority {{priority}}"),
            stacked=True,
        ),
        lines(
            "Offered and claimed",
            "Ids put into the ready set, and rows claimed. Claims above offers: workers "
            "claim for themselves, because hints are missing. lost: came back without a "
            "claim. ops/RUNBOOK.md#lostidsfound",
            Looks(
                unit=PER_SECOND,
                empty=NO_FIGURES,
                colours={"offered": BLUE, "claimed": GREEN, "lost": RED},
            ),
            rate("dispatcher_offered_total", "offered"),
            rate("worker_jobs_picked_up_total", "claimed"),
            rate("reconciler_lost_total", "lost"),
        ),
    ),
)
