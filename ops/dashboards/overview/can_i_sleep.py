"""Can I sleep? One glance at what is wrong."""

from ops.dashboards.board import line, row
from ops.dashboards.looks import (
    BLUE,
    GREEN,
    GREY,
    NO_FIGURES,
    ORANGE,
    PER_SECOND,
    RED,
    Looks,
    calm_from,
    calm_until,
    never,
)
from ops.dashboards.overview.chosen import CHANNEL_AND_PRIORITY, CHOSEN
from ops.dashboards.overview.in_time import MONTH, NOTHING_ENDED, SHARE, SHARE_OVER_TIME
from ops.dashboards.panels import coloured, lines, stat, table
from ops.dashboards.queries import prom, rate, sql

VERDICT = line(
    4,
    stat(
        "Can I sleep?",
        "Alerts that page, now. Anything but Yes: the list below says which, and each names "
        "its paragraph in ops/RUNBOOK.md. Tickets are listed there too; they can wait.",
        Looks(
            unit="suffix: firing",
            empty=NO_FIGURES,
            steps=never(),
            words={"0": ("Yes", GREEN)},
            decimals=0,
        ),
        prom('count(ALERTS{alertstate="firing", severity="page"}) or 0 * max(dispatcher_leading)'),
    ),
    stat(
        "Sent in time, 30 days",
        "Share of what ended that was sent within 10 s of falling due. The objective "
        "is 99 %. From the table slo_daily, so it is older than Prometheus' memory. "
        "Red: the panel 'By channel and priority' below says whose.",
        Looks(
            unit="percentunit",
            empty=NOTHING_ENDED,
            steps=calm_from(0.99, 0.995),
            decimals=2,
        ),
        sql(f"select {SHARE}" + MONTH),
    ),
    stat(
        "Budget left, 30 days",
        "Of the 1 % that may be late or expired (ours; failed ones have a panel of "
        "their own), how much is left. Below 0 the objective is missed: no risky "
        "deploys until it is back.",
        Looks(
            unit="percentunit",
            empty=NOTHING_ENDED,
            steps=calm_from(0, 0.25),
            decimals=0,
        ),
        sql(
            "select (1 - sum(late + expired)"
            " / nullif(0.01 * sum(in_time + late + failed + expired), 0))::float8 as left" + MONTH
        ),
    ),
    stat(
        "Oldest due",
        "How long the longest waiting notification has been due. 0: none waits. "
        "Red: the dashboard Road shows the stage that is slow; a destination that is "
        "down shows as an open breaker. ops/RUNBOOK.md#oldestduetooold",
        Looks(unit="s", empty=NO_FIGURES, steps=calm_until(5, 10)),
        prom("max(db_oldest_due_age_seconds)"),
    ),
    stat(
        "Dead letters, 24 h",
        "Notifications that became failed: refused for good, or out of attempts. Red: "
        "look at 'Failures by class'; mend the cause, then redrive. "
        "ops/RUNBOOK.md#deadlettersrising",
        Looks(unit="short", empty=NO_FIGURES, steps=calm_until(1, 100), decimals=0),
        prom(
            f"sum(increase(worker_jobs_failed_total{CHOSEN}[24h]))"
            ' + sum(increase(reaper_rows_total{status="failed"}[24h]))'
        ),
    ),
    stat(
        "Who leads?",
        "Dispatchers that lead: exactly one. Nobody: workers claim for themselves each "
        "second, nothing is reaped, and the figures of the ledger stand still. A stranger: "
        "a session that is no dispatcher keeps the lock. ops/RUNBOOK.md#leadheldbystranger, "
        "ops/RUNBOOK.md#nodispatcherleads",
        Looks(
            unit="suffix: lead",
            empty="No dispatcher is scraped",
            steps=[(None, RED), (1, GREEN), (2, RED)],
            words={"-1": ("A stranger", RED), "0": ("Nobody", RED), "1": ("One", GREEN)},
        ),
        prom("sum(dispatcher_leading) - (max(dispatcher_lead_held_by_stranger) or vector(0))"),
    ),
)

AT_THE_MOMENT = line(
    4,
    stat(
        "Queued",
        "Notifications in queued, due or not; above 100,000 estimated. Many that are "
        "not due is no trouble: 'Oldest due' is the one to mind.",
        Looks(unit="short", empty=NO_FIGURES, steps=[(None, BLUE)]),
        prom("max(db_queued_notifications)"),
    ),
    stat(
        "Sent per second",
        "Notifications that became sent.",
        Looks(unit=PER_SECOND, empty=NO_FIGURES, steps=[(None, BLUE)]),
        rate(f"worker_jobs_sent_total{CHOSEN}"),
    ),
    stat(
        "Age of the figures",
        "Since the ledger was last counted. Red: what this page says of queued, oldest "
        "due and PostgreSQL is old. ops/RUNBOOK.md#gaugesstale",
        Looks(unit="s", empty=NO_FIGURES, steps=calm_until(30, 60)),
        prom("time() - max(db_gauges_timestamp_seconds)"),
    ),
    stat(
        "Processes away",
        "Processes that Prometheus knows and cannot reach. Red: see what ended them; "
        "all their rows come back within LEASE_S. ops/RUNBOOK.md#targetdown",
        Looks(unit="short", empty=NO_FIGURES, steps=never(), words={"0": ("None", GREEN)}),
        prom('count(up{job="notify"} == 0) or 0 * count(up{job="notify"})'),
    ),
    stat(
        "Destinations left alone",
        "Breakers that are open: the destination kept failing, and its rows wait in "
        "queued without losing attempts. Nothing to do here unless the destination is "
        "ours. ops/RUNBOOK.md#breakersstayopen",
        Looks(unit="short", empty=NO_FIGURES, steps=calm_until(1, 50)),
        prom('max(sum by (instance) (worker_breakers{state="open"}))'),
    ),
    stat(
        "Maybe sent twice, 24 h",
        "Attempts whose lease had been taken back when they were settled. Red: a worker "
        "stood still for longer than LEASE_S. ops/RUNBOOK.md#stalesettles",
        Looks(unit="short", empty=NO_FIGURES, steps=never(), decimals=0),
        prom("sum(increase(worker_stale_settles_total[24h]))"),
    ),
)

WHAT_IS_WRONG = line(
    7,
    table(
        "Alerts that fire",
        "What is wrong now. The annotation runbook of each names its paragraph in ops/RUNBOOK.md.",
        Looks(unit="string", empty="Nothing fires", steps=[(None, GREY)]),
        prom('max by (alertname, severity) (ALERTS{alertstate="firing"})', table=True),
        {"severity": coloured({"page": RED, "ticket": ORANGE})},
        hidden=["Time", "Value"],
    ),
    lines(
        "Sent in time",
        "Share sent within 10 s of falling due, over 5 minutes. Gaps: nothing ended. "
        "Red: late ones are ours (see Road), failed ones their receiver's (see "
        "'Failures by class'). ops/RUNBOOK.md#sloburnsfast",
        SHARE_OVER_TIME,
        prom(
            "sum by (channel) (rate(slo_notifications_total"
            f'{{result="in_time", {CHANNEL_AND_PRIORITY}}}[5m]))'
            " / (sum by (channel) (rate(slo_notifications_total"
            f"{{{CHANNEL_AND_PRIORITY}}}[5m])) > 0)",
            "{{channel}}",
        ),
    ),
)

ROW = row("Can I sleep?", VERDICT, AT_THE_MOMENT, WHAT_IS_WRONG)
