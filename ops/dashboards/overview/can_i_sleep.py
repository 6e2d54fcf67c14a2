"""Overview: can I sleep? If not: since when, and what is it?"""

from ops.dashboards.board import Board, line, row
from ops.dashboards.looks import (
    BLUE,
    FAILURES,
    GREEN,
    GREY,
    ORANGE,
    PER_SECOND,
    QUANTILE_COLOURS,
    RED,
    Looks,
    calm_from,
    calm_until,
    never,
)
from ops.dashboards.panels import bars, coloured, lines, stat, table
from ops.dashboards.queries import prom, quantiles, rate, sql
from ops.dashboards.variables import CHANNEL, PRIORITY
from service.offers import WINDOW_MAX

CHOSEN = '{channel=~"$channel"}'
SLO = 'channel=~"$channel", priority=~"$priority"'
NO_FIGURES = "No figures: is Prometheus scraping?"

MONTH = """
from notify.slo_daily
where day > (now() at time zone 'utc')::date - 30
  and channel in (${channel:sqlstring}) and priority::text in (${priority:sqlstring})
"""

SLEEP = row(
    "Can I sleep?",
    line(
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
            prom(
                'count(ALERTS{alertstate="firing", severity="page"}) or 0 * max(dispatcher_leading)'
            ),
        ),
        stat(
            "Sent in time, 30 days",
            "Share of what ended that was sent within 10 s of falling due. The objective "
            "is 99 %. From the table slo_daily, so it is older than Prometheus' memory. "
            "Red: the panel 'By channel and priority' below says whose.",
            Looks(
                unit="percentunit",
                empty="Nothing has ended yet",
                steps=calm_from(0.99, 0.995),
                decimals=2,
            ),
            sql(
                "select (sum(in_time)"
                " / nullif(sum(in_time + late + failed + expired), 0))::float8 as share" + MONTH
            ),
        ),
        stat(
            "Budget left, 30 days",
            "Of the 1 % that may be late or expired (ours; failed ones have a panel of "
            "their own), how much is left. Below 0 the objective is missed: no risky "
            "deploys until it is back.",
            Looks(
                unit="percentunit",
                empty="Nothing has ended yet",
                steps=calm_from(0, 0.25),
                decimals=0,
            ),
            sql(
                "select (1 - sum(late + expired)"
                " / nullif(0.01 * sum(in_time + late + failed + expired), 0))::float8 as left"
                + MONTH
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
    ),
    line(
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
    ),
    line(
        7,
        table(
            "Alerts that fire",
            "What is wrong now. The annotation runbook of each names its paragraph in "
            "ops/RUNBOOK.md.",
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
            Looks(
                unit="percentunit",
                empty="Nothing has ended yet",
                steps=calm_from(0.99, 0.99),
                bottom=0.95,
                top=1,
            ),
            prom(
                "sum by (channel) (rate(slo_notifications_total"
                f'{{result="in_time", {SLO}}}[5m]))'
                " / (sum by (channel) (rate(slo_notifications_total"
                f"{{{SLO}}}[5m])) > 0)",
                "{{channel}}",
            ),
        ),
    ),
)

FLOW = row(
    "In and out",
    line(
        8,
        lines(
            "In and out",
            "by HTTP: accepted by POST /notify. by all: what ended plus what the queue "
            "grew by, so producers that INSERT are in it (smoothed, and too low while "
            "counts are estimated). sent: what went out. In above out for long: the queue "
            "grows, see Road.",
            Looks(
                unit=PER_SECOND,
                empty=NO_FIGURES,
                colours={"by HTTP": BLUE, "by all": "light-blue", "sent": GREEN},
            ),
            rate(f"api_jobs_enqueued_total{CHOSEN}", "by HTTP"),
            prom(
                "clamp_min(sum(rate(worker_jobs_sent_total[2m]))"
                " + sum(rate(worker_jobs_failed_total[2m]))"
                " + sum(rate(worker_jobs_expired_total[2m]))"
                " + max(deriv(db_queued_notifications[2m]))"
                " + max(deriv(db_sending_notifications[2m])), 0)",
                "by all",
            ),
            rate(f"worker_jobs_sent_total{CHOSEN}", "sent"),
        ),
        lines(
            "Enqueue to sent",
            "From created_at (send_at if later) to sent, all attempts and waits included. "
            "Red: slower than the objective; Road shows which stage. ops/RUNBOOK.md#sloburnsfast",
            Looks(
                unit="s",
                empty="Nothing was sent",
                steps=[(None, GREEN), (10, RED)],
                colours=QUANTILE_COLOURS,
            ),
            *quantiles("worker_enqueue_to_sent_seconds", CHOSEN),
        ),
        lines(
            "Queued and sending",
            "The ledger now. sending above the slots of all workers: leases of dead "
            "workers, the reaper takes them back. ops/RUNBOOK.md#leaseskeepexpiring",
            Looks(unit="short", empty=NO_FIGURES, colours={"queued": BLUE, "sending": GREEN}),
            prom("max(db_queued_notifications)", "queued"),
            prom("max(db_sending_notifications)", "sending"),
        ),
    ),
    line(
        8,
        lines(
            "Failures by class",
            "Attempts that did not deliver. temporary, unknown: tried again. throttled, "
            "unreachable, deferred: not now; tried again, and not counted for a while. "
            "permanent: the receiver refused for good. expired: its time was over. "
            "lease_expired: its worker died. One class rising: 'One notification' shows "
            "the code and the answer. ops/RUNBOOK.md#deadlettersrising",
            Looks(unit=PER_SECOND, empty=NO_FIGURES, colours=FAILURES),
            rate('worker_attempts_total{outcome!="sent", channel=~"$channel"}', by="outcome"),
            rate('reaper_rows_total{status!="refused"}', "lease_expired"),
            stacked=True,
        ),
        lines(
            "What became of them",
            "Notifications by what they became instead of sent. retried: queued again, no "
            "harm yet. failed: dead letters. expired: too late by their sender's word. "
            "cancel, redrive: by an operator.",
            Looks(
                unit=PER_SECOND,
                empty=NO_FIGURES,
                colours={
                    "retried": ORANGE,
                    "failed": RED,
                    "expired": "dark-orange",
                    "cancel": "purple",
                    "redrive": "light-purple",
                },
            ),
            *(
                rate(f"worker_jobs_{word}_total{CHOSEN}", word)
                for word in ("retried", "failed", "expired")
            ),
            rate("api_operator_rows_total", by="verb"),
        ),
        lines(
            "Refused at the door",
            "POST /notify that was not accepted. invalid: their mistake, the answer said "
            "which. unavailable: ours, PostgreSQL did not take it. "
            "ops/RUNBOOK.md#enqueueunavailable",
            Looks(
                unit=PER_SECOND, empty=NO_FIGURES, colours={"invalid": ORANGE, "unavailable": RED}
            ),
            rate("api_jobs_enqueue_failed_total", by="reason"),
            stacked=True,
        ),
    ),
)

SATURATION = row(
    "What is full?",
    line(
        7,
        bars(
            "How full?",
            "Each of what can run out, as a share of its limit, now. Red: that one is the "
            "bottleneck. Slots: add workers or SENDS_PER_THREAD. Connections: calls wait "
            "for PostgreSQL. NOTIFY queue: a listener is stuck. "
            "ops/RUNBOOK.md#oldestduetooold",
            Looks(
                unit="percentunit", empty=NO_FIGURES, steps=calm_until(0.7, 0.9), top=1, decimals=0
            ),
            prom("sum(worker_sends_in_flight) / sum(worker_slots)", "Slots of workers", now=True),
            prom(
                'sum by (pool) (db_pool_connections{state="used"})'
                " / sum by (pool) (db_pool_connections)",
                "Connections {{pool}}",
                now=True,
            ),
            prom("max(db_notify_queue_usage_ratio)", "NOTIFY queue", now=True),
            prom(
                "max(dispatcher_redis_memory_bytes) / (max(dispatcher_redis_memory_max_bytes) > 0)",
                "Memory of Redis",
                now=True,
            ),
            prom(f"max(dispatcher_ready_set_depth) / {WINDOW_MAX}", "Fullest lane", now=True),
        ),
        lines(
            "Slots in use",
            "Sends in flight, of all workers' slots. Full for long: receivers are slow, or "
            "there are too few workers.",
            Looks(
                unit="percentunit", empty="No worker is scraped", steps=calm_until(0.7, 0.9), top=1
            ),
            prom(
                "sum by (instance) (worker_sends_in_flight) / sum by (instance) (worker_slots)",
                "{{instance}}",
            ),
        ),
        lines(
            "CPU",
            "Cores in use, by role. An API or dispatcher near 1 is full: it has one thread.",
            Looks(unit="short", empty=NO_FIGURES, steps=[(None, GREEN), (1, ORANGE)]),
            rate(
                'process_cpu_seconds_total{job="notify"}',
                "{{role}} {{instance}}",
                by="role, instance",
            ),
        ),
        lines(
            "Memory",
            "Resident memory, by process. It is level under level load; a line that only "
            "rises is a leak: restart that process, and file it.",
            Looks(unit="bytes", empty=NO_FIGURES),
            prom(
                'sum by (role, instance) (process_resident_memory_bytes{job="notify"})',
                "{{role}} {{instance}}",
            ),
        ),
    ),
)

OBJECTIVE = row(
    "The objective, from the ledger",
    line(
        8,
        table(
            "By channel and priority, 30 days",
            "What ended in the last 30 days, and the share sent within 10 s of falling due. "
            "Below 99 %: open the channel and priority above.",
            Looks(unit="short", empty="Nothing has ended yet", decimals=0),
            sql(
                "select channel, priority, sum(in_time) as in_time, sum(late) as late,\n"
                "  sum(failed) as failed, sum(expired) as expired,\n"
                "  (sum(in_time) / nullif(sum(in_time + late + failed + expired), 0))::float8"
                " as share" + MONTH + "group by channel, priority\norder by share"
            ),
            {
                "share": {
                    "unit": "percentunit",
                    "decimals": 2,
                    "custom.cellOptions": {"type": "color-text"},
                    "thresholds": {
                        "mode": "absolute",
                        "steps": [{"color": RED, "value": None}, {"color": GREEN, "value": 0.99}],
                    },
                }
            },
        ),
        lines(
            "Sent in time, by day",
            "The share of each day (UTC), by channel, over the last 30 days whatever is chosen "
            "above. Red line: the objective.",
            Looks(
                unit="percentunit",
                empty="Nothing has ended yet",
                steps=calm_from(0.99, 0.99),
                bottom=0.95,
                top=1,
            ),
            sql(
                "select day::timestamp at time zone 'utc' as time, channel as metric,\n"
                "  (sum(in_time) / nullif(sum(in_time + late + failed + expired), 0))"
                "::float8 as share" + MONTH + "group by day, channel\norder by day",
                series=True,
            ),
            span="30d",
        ),
    ),
)

BOARD = Board(
    uid="notify-overview",
    title="notify: Overview",
    about="Can I sleep? If not: since when, and what is it? Where it is slow: Road.",
    variables=[CHANNEL, PRIORITY],
    rows=[SLEEP, FLOW, SATURATION, OBJECTIVE],
)
