"""The second stage: the dispatcher is woken, looks, and offers."""

from ops.dashboards.board import line, row
from ops.dashboards.looks import (
    BLUE,
    GREEN,
    NO_READY_SET,
    NOBODY_LEADS,
    ORANGE,
    PER_SECOND,
    RED,
    Looks,
    calm_until,
)
from ops.dashboards.panels import lines
from ops.dashboards.queries import prom, rate
from ops.dashboards.road.stages import IDLE, LANES

ROW = row(
    "2 Dispatcher: a wake, a look, an offer",
    line(
        7,
        lines(
            "Dispatcher: rate",
            "offered: ids put into the ready set. wakes: NOTIFYs that it slept through; "
            "few under load, because it does not sleep then. lost: offered, and back "
            "without a claim: 0 without faults. junk: popped, and no id of ours: somebody else "
            "writes into our keys of Redis. ops/RUNBOOK.md#lostidsfound",
            Looks(
                unit=PER_SECOND,
                empty=IDLE,
                colours={"offered": GREEN, "wakes": BLUE, "lost": RED, "junk": ORANGE},
            ),
            rate("dispatcher_offered_total", "offered"),
            rate("dispatcher_bells_total", "wakes"),
            rate("reconciler_lost_total", "lost"),
            rate("worker_hints_dropped_total", "junk"),
        ),
        lines(
            "Ready set",
            "Ids in Redis, by priority: a window of at most 10,000 over the queue. Full "
            "lanes: more is due than workers claim. Empty ones while much is due: the "
            "dispatcher is slow, or Redis is away. ops/RUNBOOK.md#redisdown",
            Looks(unit="short", empty=NO_READY_SET, colours=LANES),
            prom("max by (priority) (dispatcher_ready_set_depth)", "priority {{priority}}"),
            stacked=True,
        ),
        lines(
            "Wait for a claim",
            "How long the longest waiting one has been due. Rising by a second each second "
            "with full lanes: workers; with empty ones: the dispatcher. "
            "ops/RUNBOOK.md#oldestduetooold",
            Looks(unit="s", empty=NOBODY_LEADS, steps=calm_until(5, 10)),
            prom("max(db_oldest_due_age_seconds)", "oldest due"),
        ),
    ),
)
