"""Road: each stage in the order of the road, with its rate, its batch and its wait."""

from ops.dashboards.board import Board, line, row
from ops.dashboards.looks import (
    BLUE,
    GREEN,
    ORANGE,
    PER_SECOND,
    QUANTILE_COLOURS,
    RED,
    Looks,
    calm_until,
    never,
)
from ops.dashboards.panels import bars, heatmap, lines
from ops.dashboards.queries import batches, prom, quantiles, rate
from ops.dashboards.variables import CHANNEL, INSTANCE

CHOSEN = '{channel=~"$channel", instance=~"$instance"}'
HERE = '{instance=~"$instance"}'
NOTIFY = '{route="/notify", instance=~"$instance"}'
LANES = {"priority 0": RED, "priority 1": ORANGE, "priority 2": GREEN, "priority 3": BLUE}

IDLE = "Nothing came by"
RATE = Looks(unit=PER_SECOND, empty=IDLE)
BATCH = Looks(unit="suffix: rows", empty=IDLE, colours={"mean": GREEN, "p99": RED}, decimals=1)

HERE_AND_NOW = row(
    "Where is it slow?",
    line(
        8,
        bars(
            "Where does the time go?",
            "p95 of each stage over the last 5 minutes, in the order of the road. The "
            "longest bar above its neighbours is where to look: its row below has rate, "
            "batch and wait. Send is the receiver's time; the others are ours.",
            Looks(unit="s", empty=IDLE, steps=calm_until(1, 10)),
            prom(
                "histogram_quantile(0.95, sum by (le) (rate("
                'api_request_seconds_bucket{route="/notify"}[5m])))',
                "1 accepted by the API",
                now=True,
            ),
            prom("max(db_oldest_due_age_seconds)", "2 longest wait for a claim", now=True),
            prom(
                "sum(worker_jobs_in_hand) / (sum(rate(worker_jobs_picked_up_total[5m])) > 0)",
                "3 claimed to settled (mean)",
                now=True,
            ),
            prom(
                "histogram_quantile(0.95, sum by (le) (rate(worker_send_seconds_bucket[5m])))",
                "4 sending",
                now=True,
            ),
            prom(
                "histogram_quantile(0.95, sum by (le) (rate("
                "worker_enqueue_to_sent_seconds_bucket[5m])))",
                "enqueue to sent",
                now=True,
            ),
        ),
        heatmap(
            "Enqueue to sent, all of them",
            "How many took how long, from created_at (send_at if later) to sent. A second "
            "band above the first: a channel or a receiver that is slow; choose channels "
            "above to tell which. A step up at a mark: a deploy.",
            Looks(unit="s", empty="Nothing was sent"),
            "worker_enqueue_to_sent_seconds",
            CHOSEN,
        ),
        lines(
            "Enqueue to sent, by channel",
            "p95 of each channel. Red line: the objective. ops/RUNBOOK.md#sloburnsfast",
            Looks(unit="s", empty="Nothing was sent", steps=[(None, GREEN), (10, RED)]),
            *quantiles("worker_enqueue_to_sent_seconds", CHOSEN, by="channel"),
        ),
    ),
)

API = row(
    "1 API: a request is read, and shares an INSERT",
    line(
        7,
        lines(
            "API: rate",
            "Requests by what was answered, without probes and scrapes. 4xx: their mistakes; 503: "
            "PostgreSQL did not take it in time. Refused unseen: compressed, a foreign Host, or a "
            "page of another origin. Turned away: CONNECTIONS_MAX were open. "
            "ops/RUNBOOK.md#enqueueunavailable",
            RATE,
            prom(
                "sum by (route, code) (rate(api_request_seconds_count"
                '{route!~"/metrics|/healthz|/readyz", instance=~"$instance"}'
                "[$__rate_interval])) > 0",
                "{{route}} {{code}}",
            ),
            prom(
                f"sum by (code) (rate(api_requests_refused_total{HERE}[$__rate_interval])) > 0",
                "refused: {{code}}",
            ),
            prom(
                f"sum(rate(api_connections_refused_total{HERE}[$__rate_interval]))",
                "connections turned away",
            ),
            stacked=True,
        ),
        lines(
            "API: batch",
            "Requests that shared one INSERT. Large batches are right under load. At 500 "
            "they are full: add API processes.",
            BATCH,
            *batches("api_enqueue_batch_rows", HERE),
        ),
        lines(
            "API: wait",
            "Duration of POST /notify, its commit included. Slow with small batches: "
            "PostgreSQL commits slowly. Slow with large ones: more comes than one process "
            "takes. ops/RUNBOOK.md#enqueueunavailable",
            Looks(unit="s", empty=IDLE, steps=[(None, GREEN), (1, RED)], colours=QUANTILE_COLOURS),
            *quantiles("api_request_seconds", NOTIFY),
        ),
        lines(
            "API: at once",
            "Connections of clients, requests being answered, and calls that wait for a connection "
            "of each pool. Waiting for long: PostgreSQL is slow, or a transaction holds a lock. "
            "ops/RUNBOOK.md#poolexhausted",
            Looks(
                unit="short", empty=IDLE, colours={"in progress": BLUE, "wait for notify-api": RED}
            ),
            prom(f"sum(api_requests_in_progress{HERE})", "in progress"),
            prom(f"sum by (pool) (db_pool_requests_waiting{HERE})", "wait for {{pool}}"),
            prom(f"sum(api_connections{HERE})", "connections"),
        ),
    ),
)

DISPATCHER = row(
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
            Looks(unit="short", empty="No figures: nobody leads, or Redis is away", colours=LANES),
            prom("max by (priority) (dispatcher_ready_set_depth)", "priority {{priority}}"),
            stacked=True,
        ),
        lines(
            "Wait for a claim",
            "How long the longest waiting one has been due. Rising by a second each second "
            "with full lanes: workers; with empty ones: the dispatcher. "
            "ops/RUNBOOK.md#oldestduetooold",
            Looks(unit="s", empty="No figures: nobody leads", steps=calm_until(5, 10)),
            prom("max(db_oldest_due_age_seconds)", "oldest due"),
        ),
    ),
)

CLAIM = row(
    "3 Worker: a claim",
    line(
        7,
        lines(
            "Claims: rate",
            "Notifications claimed, by channel, and claims given back unstarted: because "
            "their destination fails (breaker), has its share of slots (share) or throttles "
            "(pace; url: one URL of it), or a worker stops (released, all of "
            "them).",
            RATE,
            rate(f"worker_jobs_picked_up_total{CHOSEN}", by="channel"),
            rate(f"worker_jobs_released_total{HERE}", "released"),
            rate(f"worker_jobs_parked_total{HERE}", "parked: {{reason}}", by="reason"),
        ),
        lines(
            "Claims: batch",
            "Rows of one claim: as many as slots are free, at most 1000. Small ones with "
            "much due: slots are full, see Sends.",
            BATCH,
            *batches("worker_claim_batch_rows", HERE),
        ),
        lines(
            "In hand",
            "Notifications that workers have claimed and not settled yet, and the sends in "
            "flight among them. A wide gap between the two: settles lag, or they wait for "
            "a share of their destination.",
            Looks(
                unit="short",
                empty="No worker is scraped",
                colours={"in hand": BLUE, "in flight": GREEN, "slots": "text"},
            ),
            prom(f"sum(worker_jobs_in_hand{HERE})", "in hand"),
            prom(f"sum(worker_sends_in_flight{HERE})", "in flight"),
            prom(f"sum(worker_slots{HERE})", "slots"),
        ),
    ),
)

SEND = row(
    "4 Worker: the sends",
    line(
        7,
        lines(
            "Sends: rate",
            "Notifications that became sent, by worker. One lower than its neighbours: "
            "look at its process. All low with full slots: receivers are slow.",
            Looks(unit=PER_SECOND, empty=IDLE),
            rate(f"worker_jobs_sent_total{CHOSEN}", by="instance"),
            stacked=True,
        ),
        lines(
            "Breakers",
            "Destinations that workers leave alone (open), or ask with one send at a time "
            "whether they are back (half open); each worker has its own breakers. Red: "
            "something many notifications go to is down. ops/RUNBOOK.md#breakersstayopen",
            Looks(
                unit="short",
                empty="No worker is scraped",
                steps=[(None, GREEN), (1, RED)],
                colours={"open": RED, "half_open": ORANGE, "opened": "purple"},
            ),
            prom(f"sum by (state) (worker_breakers{HERE})", "{{state}}"),
            prom(f"sum(increase(worker_breakers_opened_total{HERE}[$__rate_interval]))", "opened"),
        ),
        lines(
            "Sends: duration",
            "p95 of one transfer, by channel: the receiver's time. Red: at "
            "SEND_DEADLINE_S, attempts are cut off. ops/RUNBOOK.md#sloburnsfast",
            Looks(unit="s", empty=IDLE, steps=[(None, GREEN), (10, RED)]),
            *quantiles("worker_send_seconds", CHOSEN, by="channel"),
        ),
    ),
)

SETTLE = row(
    "5 Worker: the settles",
    line(
        7,
        lines(
            "Settles: rate",
            "Ended attempts, by what came of them. stale: their lease had been taken back, "
            "so they may have been sent twice. ops/RUNBOOK.md#stalesettles. "
            "refused: PostgreSQL did not let a row be moved; the log names it.",
            Looks(
                unit=PER_SECOND,
                empty=IDLE,
                colours={"sent": GREEN, "stale": RED, "refused": "dark-red"},
            ),
            rate(f"worker_attempts_total{CHOSEN}", by="outcome"),
            rate(f"worker_stale_settles_total{HERE}", "stale"),
            rate(f"worker_rows_refused_total{HERE}", "refused"),
        ),
        lines(
            "Settles: batch",
            "Attempts that ended in one statement. At 1000 for long: settling is the "
            "bottleneck, so look at PostgreSQL.",
            BATCH,
            *batches("worker_settle_batch_rows", HERE),
        ),
        lines(
            "Claim to settle",
            "Mean time in a worker's hands: what is in hand over what is claimed each "
            "second (Little's law). Red: leases (30 s) begin to pass. Well above Sends: "
            "duration: settles lag. ops/RUNBOOK.md#oldestduetooold",
            Looks(unit="s", empty=IDLE, steps=calm_until(10, 30)),
            prom(
                f"sum by (instance) (worker_jobs_in_hand{HERE})"
                " / (sum by (instance) (rate(worker_jobs_picked_up_total"
                f"{HERE}[$__rate_interval])) > 0)",
                "{{instance}}",
            ),
        ),
    ),
)

REPAIRS = row(
    "What was repaired on the way",
    line(
        7,
        lines(
            "Taken back from dead workers",
            "Leases that passed, by what their notifications became. Any: a worker died or "
            "stood still. ops/RUNBOOK.md#leaseskeepexpiring. refused: PostgreSQL did not let "
            "one be moved. ops/RUNBOOK.md#rowsrefused",
            Looks(
                unit=PER_SECOND,
                empty="No dispatcher is scraped",
                colours={"queued": ORANGE, "failed": RED, "refused": "dark-red"},
            ),
            rate("reaper_rows_total", by="status"),
        ),
        lines(
            "Errors nobody expected",
            "Survived by a thread of a worker, which goes on. Any is a bug: the log has "
            "its line, with the error. ops/RUNBOOK.md#looperrors",
            Looks(unit=PER_SECOND, empty="No worker is scraped", steps=never()),
            rate(f"worker_loop_errors_total{HERE}", by="thread"),
        ),
        lines(
            "Log lines",
            "pushed to Loki; dropped, because the buffer was full (Loki away) or Loki "
            "refused them; failed pushes are tried again. Dropped: this page's sibling "
            "'One notification' lacks lines. ops/RUNBOOK.md#loglinesdropped",
            Looks(
                unit=PER_SECOND,
                empty="No lines are pushed: LOKI_URL is not set",
                colours={"pushed": GREEN, "failed pushes": ORANGE},
            ),
            rate("log_lines_pushed_total", "pushed"),
            rate("log_lines_dropped_total", "dropped: {{reason}}", by="reason"),
            rate("log_push_failures_total", "failed pushes"),
        ),
    ),
)

BOARD = Board(
    uid="notify-road",
    title="notify: Road",
    about="Each stage in the order of the road (ops/ARCHITECTURE.md): where is it slow?",
    variables=[CHANNEL, INSTANCE],
    rows=[HERE_AND_NOW, API, DISPATCHER, CLAIM, SEND, SETTLE, REPAIRS],
)
